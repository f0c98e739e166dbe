//! `pki dv`: a document verifier.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::answer::{Answer, Authentication, Grant};
use super::cv::{self, Holder, NewRequest, Request};
use super::options::{PasswordOption, RequestOptions, RightsOptions, ValidityOptions};
use super::{Context, ExitStatus, Failure, output, secret};
use crate::cvc::Role;
use crate::pki::cv::{CvFolder, Part};

/// Days of validity of a terminal's certificate.
pub(super) const IS_DAYS: u32 = 30;

/// Make and run a document verifier (DV): it manages a group of terminals.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Request(RequestArguments),
    Sign(SignArguments),
}

/// Make a key and a certificate request for a CVCA.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki dv request --out dv/ --holder VNDVHANOI --cvca cvca/VNCVCA00001.cvcert --password env:PW\n  \
    cancuoc pki dv request --out dv/ --holder VNDVHANOI --cvca VNCVCA00001.cvcert --initial --password -\n\n\
    The key is of the kind that the CVCA's certificate has: cards want one kind in a chain.\n\
    The next request of a verifier that holds a certificate counts its sequence number up and is\n\
    signed by its current key too.")]
struct RequestArguments {
    /// Folder for the files, made if absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Holder: country code of two letters and a name of up to nine characters.
    #[arg(long, value_name = "NAME")]
    holder: String,
    /// Certificate of the CVCA that is asked.
    #[arg(long, value_name = "FILE")]
    cvca: PathBuf,
    /// Sequence number of the key, five characters; default: one more than the last.
    #[arg(long, value_name = "SEQ")]
    sequence: Option<String>,
    /// Do not sign with the current key.
    #[arg(long)]
    initial: bool,
    #[command(flatten)]
    password: PasswordOption,
}

/// Answer a terminal's request with a certificate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki dv sign is/VNISGATE100001.csr --issuer dv/ --password env:PW\n  \
    cancuoc pki dv sign gate.csr --issuer dv/ --rights dg3 --days 7 --password -")]
struct SignArguments {
    #[command(flatten)]
    request: RequestOptions,
    /// Folder of the document verifier.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// The certificate to sign by, by its holder reference; default: the newest.
    #[arg(long = "as", value_name = "REF")]
    current: Option<String>,
    #[command(flatten)]
    rights: RightsOptions,
    #[command(flatten)]
    validity: ValidityOptions,
    #[command(flatten)]
    password: PasswordOption,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Request(arguments) => request(context, arguments),
        Command::Sign(arguments) => sign(context, arguments),
    }
}

fn request(context: &Context, arguments: &RequestArguments) -> Result<ExitStatus, Failure> {
    let cvca = cv::certificate(&arguments.cvca)?;
    let folder = CvFolder::new(&arguments.out);
    let holder = cv::new_reference(&folder, &arguments.holder, arguments.sequence.as_deref())?;
    let password = secret::read(context, "--password", &arguments.password.password)?;
    output::create_private_folder(&arguments.out).map_err(|e| Failure::file(&arguments.out, &e))?;
    let current = match arguments.initial {
        true => None,
        false => cv::current(&folder, &holder, Part::Dv, &password)?,
    };
    let key = cv::key_like(&cvca, None)?;
    cv::keep(&folder, &cvca)?;
    let new = NewRequest {
        command: "pki-dv-request",
        folder,
        holder,
        authority: &cvca,
        key,
        current,
        password: &password,
    };
    new.write(context)
}

fn sign(context: &Context, arguments: &SignArguments) -> Result<ExitStatus, Failure> {
    let request = Request::read(&arguments.request.request)?;
    let password = secret::read(context, "--password", &arguments.password.password)?;
    let folder = CvFolder::new(&arguments.issuer);
    let issuer = Holder::open(&folder, arguments.current.as_deref(), Part::Dv, &password)?;
    let answer = Answer {
        command: "pki-dv-sign",
        request: &arguments.request.request,
        out: arguments.request.out.as_ref(),
        issuer: &issuer,
        authentication: Authentication { certificates: &[], required: false },
    };
    let grant = Grant {
        role: Role::Terminal,
        rights: &arguments.rights,
        validity: &arguments.validity,
        days: IS_DAYS,
    };
    answer.write(context, &request, &grant)
}
