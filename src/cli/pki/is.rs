//! `pki is`: inspection systems, the terminals.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use serde_json::json;

use super::answer::{Grant, chain, issue, record};
use super::cv::{self, Holder, NewRequest};
use super::dv::IS_DAYS;
use super::options::{PasswordOption, RightsOptions, ValidityOptions};
use super::{Context, ExitStatus, Failure, bad, output, random, save_key, secret, write_new};
use crate::cvc::Role;
use crate::pki::cv::{CvFolder, Part, request};

/// Make the keys of an inspection system (IS): a terminal that may read DG3 or DG4.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Request(RequestArguments),
    New(NewArguments),
}

/// Make a key and a certificate request for a document verifier.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    cancuoc pki is request --out is/ --holder VNGATE1 --cvca VNCVCA00001.cvcert \\\n      \
      --dv VNDVHANOI00001.cvcert --password env:PW")]
struct RequestArguments {
    /// Folder for the files, made if absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Holder: country code of two letters and a name of up to nine characters.
    #[arg(long, value_name = "NAME")]
    holder: String,
    /// Certificate of the CVCA above the verifier.
    #[arg(long, value_name = "FILE")]
    cvca: PathBuf,
    /// Certificate of the document verifier that is asked.
    #[arg(long, value_name = "FILE")]
    dv: PathBuf,
    /// Sequence number of the key, five characters; default: one more than the last.
    #[arg(long, value_name = "SEQ")]
    sequence: Option<String>,
    #[command(flatten)]
    password: PasswordOption,
}

/// Make a key and its certificate in one step, with the key of a document verifier at hand.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki is new --issuer dv/ --out is/ --holder VNGATE1 --password env:PW\n  \
    cancuoc pki is new --issuer dv/ --out is/ --holder VNGATE1 --rights dg3 --days 7 --password -\n\n\
    The files are VNGATE100001.key, VNGATE100001.cvcert and VNGATE100001.chain: the certificates\n\
    of the verifier and of the terminal, in the order in which a card takes them.")]
struct NewArguments {
    /// Folder of the document verifier.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// The certificate to sign by, by its holder reference; default: the newest.
    #[arg(long = "as", value_name = "REF")]
    current: Option<String>,
    /// Folder for the files, made if absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Holder: country code of two letters and a name of up to nine characters.
    #[arg(long, value_name = "NAME")]
    holder: String,
    /// Sequence number of the key, five characters; default: one more than the last.
    #[arg(long, value_name = "SEQ")]
    sequence: Option<String>,
    #[command(flatten)]
    rights: RightsOptions,
    #[command(flatten)]
    validity: ValidityOptions,
    #[command(flatten)]
    password: PasswordOption,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Request(arguments) => new_request(context, arguments),
        Command::New(arguments) => new(context, arguments),
    }
}

fn new_request(context: &Context, arguments: &RequestArguments) -> Result<ExitStatus, Failure> {
    let cvca = cv::certificate(&arguments.cvca)?;
    let dv = cv::certificate(&arguments.dv)?;
    let curve = cvca.body().public_key.curve();
    dv.verify(&cvca, curve).map_err(|e| bad(&e))?;
    let folder = CvFolder::new(&arguments.out);
    let holder = cv::new_reference(&folder, &arguments.holder, arguments.sequence.as_deref())?;
    let password = secret::read(context, "--password", &arguments.password.password)?;
    output::create_private_folder(&arguments.out).map_err(|e| Failure::file(&arguments.out, &e))?;
    let current = cv::current(&folder, &holder, Part::Terminal, &password)?;
    let key = cv::key_like(&dv, curve)?;
    cv::keep(&folder, &cvca)?;
    cv::keep(&folder, &dv)?;
    let new = NewRequest {
        command: "pki-is-request",
        folder,
        holder,
        authority: &dv,
        key,
        current,
        password: &password,
    };
    new.write(context)
}

fn new(context: &Context, arguments: &NewArguments) -> Result<ExitStatus, Failure> {
    let password = secret::read(context, "--password", &arguments.password.password)?;
    let verifier = CvFolder::new(&arguments.issuer);
    let issuer = Holder::open(&verifier, arguments.current.as_deref(), Part::Dv, &password)?;
    output::create_private_folder(&arguments.out).map_err(|e| Failure::file(&arguments.out, &e))?;
    let folder = CvFolder::new(&arguments.out);
    let holder = cv::new_reference(&folder, &arguments.holder, arguments.sequence.as_deref())?;
    let files = ["key", "cvcert", "chain"].map(|extension| folder.file(&holder, extension));
    cv::refuse_existing(&[&files[0], &files[1], &files[2]])?;
    let key = cv::key_like(&issuer.certificate, issuer.curve)?;
    let request = request(&holder, Some(issuer.certificate.holder()), &key, &mut random())
        .map_err(|e| bad(&e))?;
    let grant = Grant {
        role: Role::Terminal,
        rights: &arguments.rights,
        validity: &arguments.validity,
        days: IS_DAYS,
    };
    let certificate = issue(&issuer, &request, &grant)?;
    record(&issuer, &certificate)?;
    save_key(&files[0], &key, &password)?;
    write_new(&files[1], certificate.raw())?;
    write_new(&files[2], &chain(&issuer, &certificate))?;
    let more = json!({ "certificate": cv::describe(&certificate) });
    cv::report(context, "pki-is-new", &files, &more)
}
