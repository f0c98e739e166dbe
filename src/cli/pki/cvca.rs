//! `pki cvca`: a country verifying CA.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::answer::{Answer, Authentication, Grant, beside};
use super::cv::{self, Holder, Request};
use super::options::{KeyOptions, PasswordOption, RequestOptions, RightsOptions, ValidityOptions};
use super::{Context, ExitStatus, Failure, bad, output, random, save_key, secret, write_new};
use crate::cvc::{HolderReference, Rights, Role};
use crate::pki::cv::{CvFolder, Part, Terms, authenticate, file_stem, self_signed};

/// Days of validity of a CVCA's certificate: three years.
const CVCA_DAYS: u32 = 3 * 365;
/// Days of validity of a document verifier's certificate.
const DV_DAYS: u32 = 90;

/// Make and run a country verifying CA (CVCA): it says which terminals may read what.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(NewArguments),
    Link(LinkArguments),
    Sign(SignArguments),
    Authenticate(AuthenticateArguments),
}

/// Make a CVCA: a key and a certificate that it signs itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki cvca new --out cvca/ --holder VNCVCA --password env:PW\n  \
    cancuoc pki cvca new --out cvca/ --holder VNCVCA --key brainpoolP384r1 --password -\n  \
    cancuoc pki cvca new --out cvca/ --holder VNCVCA --key rsa-3072 --pss --rights dg3 --password -\n\n\
    The files are VNCVCA00001.key and VNCVCA00001.cvcert; cards trust the certificate.")]
struct NewArguments {
    /// Folder for the files, made if absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Holder: country code of two letters and a name of up to nine characters.
    #[arg(long, value_name = "NAME")]
    holder: String,
    /// Sequence number of the key, five characters; default: 00001.
    #[arg(long, value_name = "SEQ", default_value = "00001")]
    sequence: String,
    #[command(flatten)]
    key: KeyOptions,
    #[command(flatten)]
    rights: RightsOptions,
    #[command(flatten)]
    validity: ValidityOptions,
    #[command(flatten)]
    password: PasswordOption,
}

/// Make the CVCA's next key, with a link certificate by which cards come to trust it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki cvca link --issuer cvca/ --password env:PW\n  \
    cancuoc pki cvca link --issuer cvca/ --key brainpoolP512r1 --hash SHA-512 --password -\n\n\
    The files are NEXT.key, NEXT.cvcert (signed by the next key itself) and NEXT.link.cvcert\n\
    (signed by the current key).")]
struct LinkArguments {
    /// Folder of the CVCA.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// The certificate to follow, by its holder reference; default: the newest.
    #[arg(long = "as", value_name = "REF")]
    current: Option<String>,
    #[command(flatten)]
    key: KeyOptions,
    #[command(flatten)]
    rights: RightsOptions,
    #[command(flatten)]
    validity: ValidityOptions,
    #[command(flatten)]
    password: PasswordOption,
}

/// What a document verifier is to the CVCA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DvRole {
    /// Of the same state.
    Domestic,
    /// Of another state, or not of the state's.
    Foreign,
}

/// Answer a document verifier's request with a certificate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki cvca sign dv/VNDVHANOI00001.csr --issuer cvca/ --password env:PW\n  \
    cancuoc pki cvca sign dv.csr --issuer cvca/ --role foreign --rights dg3 --days 30 --password -\n  \
    cancuoc pki cvca sign dv.csr --issuer cvca/ --authenticated-by DECVCA00001.cvcert --password -\n\n\
    A request that a further key has authenticated is answered only when that signature verifies:\n\
    by a certificate that this CVCA has issued, or by one given with --authenticated-by.")]
struct SignArguments {
    #[command(flatten)]
    request: RequestOptions,
    /// Folder of the CVCA.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// The certificate to sign by, by its holder reference; default: the newest.
    #[arg(long = "as", value_name = "REF")]
    current: Option<String>,
    /// What the verifier is; default: domestic where the country codes are the same.
    #[arg(long, value_name = "ROLE", value_enum)]
    role: Option<DvRole>,
    /// Certificates whose keys may have authenticated the request; may be given several times.
    #[arg(long, value_name = "FILE")]
    authenticated_by: Vec<PathBuf>,
    /// Answer no request that is not authenticated by a further key.
    #[arg(long)]
    require_authentication: bool,
    #[command(flatten)]
    rights: RightsOptions,
    #[command(flatten)]
    validity: ValidityOptions,
    #[command(flatten)]
    password: PasswordOption,
}

/// Vouch for a domestic verifier's request to a foreign CVCA: sign around it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    cancuoc pki cvca authenticate dv/VNDVHANOI00001.csr --issuer cvca/ --password env:PW")]
struct AuthenticateArguments {
    #[command(flatten)]
    request: RequestOptions,
    /// Folder of the CVCA.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// The certificate to sign by, by its holder reference; default: the newest.
    #[arg(long = "as", value_name = "REF")]
    current: Option<String>,
    #[command(flatten)]
    password: PasswordOption,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::New(arguments) => new(context, arguments),
        Command::Link(arguments) => link(context, arguments),
        Command::Sign(arguments) => sign(context, arguments),
        Command::Authenticate(arguments) => authenticate_request(context, arguments),
    }
}

fn new(context: &Context, arguments: &NewArguments) -> Result<ExitStatus, Failure> {
    let (country, mnemonic) = cv::holder_name(&arguments.holder)?;
    let holder =
        HolderReference::from_parts(country, mnemonic, &arguments.sequence).map_err(|e| bad(&e))?;
    let (first, last) = arguments.validity.dates(cv::today(), CVCA_DAYS, None)?;
    let terms = Terms {
        role: Role::Cvca,
        rights: cv::rights(&arguments.rights, Rights::ALL)?,
        effective: cv::cv_date(first)?,
        expiration: cv::cv_date(last)?,
    };
    let password = secret::read(context, "--password", &arguments.password.password)?;
    output::create_private_folder(&arguments.out).map_err(|e| Failure::file(&arguments.out, &e))?;
    let folder = CvFolder::new(&arguments.out);
    let files = ["key", "cvcert"].map(|extension| folder.file(&holder, extension));
    cv::refuse_existing(&[&files[0], &files[1]])?;
    let key = cv::new_key(&arguments.key, None)?;
    let certificate = self_signed(&holder, &terms, &key, &mut random()).map_err(|e| bad(&e))?;
    save_key(&files[0], &key, &password)?;
    write_new(&files[1], certificate.raw())?;
    let more = json!({ "certificate": cv::describe(&certificate) });
    cv::report(context, "pki-cvca-new", &files, &more)
}

fn link(context: &Context, arguments: &LinkArguments) -> Result<ExitStatus, Failure> {
    let password = secret::read(context, "--password", &arguments.password.password)?;
    let folder = CvFolder::new(&arguments.issuer);
    let current = Holder::open(&folder, arguments.current.as_deref(), Part::Cvca, &password)?;
    let next = cv::following(current.certificate.holder())?;
    let (first, last) = arguments.validity.dates(cv::today(), CVCA_DAYS, None)?;
    let own = current.certificate.body().authorization.rights();
    let terms = Terms {
        role: Role::Cvca,
        rights: cv::rights(&arguments.rights, own)?,
        effective: cv::cv_date(first)?,
        expiration: cv::cv_date(last)?,
    };
    let files = ["key", "cvcert", "link.cvcert"].map(|extension| folder.file(&next, extension));
    cv::refuse_existing(&[&files[0], &files[1], &files[2]])?;
    let key = cv::new_key(&arguments.key, Some(&current.certificate))?;
    let authority = current.authority()?;
    let link = authority.link(&key, &next, &terms, &mut random()).map_err(|e| bad(&e))?;
    let root = self_signed(&next, &terms, &key, &mut random()).map_err(|e| bad(&e))?;
    save_key(&files[0], &key, &password)?;
    write_new(&files[1], root.raw())?;
    write_new(&files[2], link.raw())?;
    let more = json!({ "certificate": cv::describe(&link) });
    cv::report(context, "pki-cvca-link", &files, &more)
}

fn sign(context: &Context, arguments: &SignArguments) -> Result<ExitStatus, Failure> {
    let request = Request::read(&arguments.request.request)?;
    let password = secret::read(context, "--password", &arguments.password.password)?;
    let folder = CvFolder::new(&arguments.issuer);
    let issuer = Holder::open(&folder, arguments.current.as_deref(), Part::Cvca, &password)?;
    let same = request.inner().body().holder.country() == issuer.certificate.holder().country();
    let role = match arguments.role {
        Some(DvRole::Domestic) => Role::DomesticDv,
        None if same => Role::DomesticDv,
        Some(DvRole::Foreign) | None => Role::ForeignDv,
    };
    let answer = Answer {
        command: "pki-cvca-sign",
        request: &arguments.request.request,
        out: arguments.request.out.as_ref(),
        issuer: &issuer,
        authentication: Authentication {
            certificates: &arguments.authenticated_by,
            required: arguments.require_authentication,
        },
    };
    let grant =
        Grant { role, rights: &arguments.rights, validity: &arguments.validity, days: DV_DAYS };
    answer.write(context, &request, &grant)
}

fn authenticate_request(
    context: &Context,
    arguments: &AuthenticateArguments,
) -> Result<ExitStatus, Failure> {
    let Request::Plain(request) = Request::read(&arguments.request.request)? else {
        let what = "the request has two signatures";
        return Err(Failure::new(ExitStatus::BadInput, "cv_request_authenticated", what));
    };
    let password = secret::read(context, "--password", &arguments.password.password)?;
    let folder = CvFolder::new(&arguments.issuer);
    let issuer = Holder::open(&folder, arguments.current.as_deref(), Part::Cvca, &password)?;
    request.verify(None).map_err(|e| bad(&e))?;
    let authenticated = authenticate(&request, &issuer.certificate, &issuer.key, &mut random())
        .map_err(|e| bad(&e))?;
    let holder = &request.body().holder;
    let name = format!("{}.authenticated.csr", file_stem(holder));
    let path = beside(&arguments.request.request, arguments.request.out.as_ref(), &name);
    write_new(&path, authenticated.raw())?;
    let described = json!({
        "holder": holder.as_str(),
        "authority": request.body().authority.as_ref().map(HolderReference::as_str),
        "algorithm": request.body().public_key.algorithm.name(),
        "authenticated_by": issuer.certificate.holder().as_str(),
    });
    cv::report(context, "pki-cvca-authenticate", &[path], &json!({ "request": described }))
}
