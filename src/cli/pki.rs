//! `pki`: certificates of test and small issuers.

mod answer;
mod cv;
mod cvca;
mod dv;
mod is;
mod masterlist;
mod options;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Context, ExitStatus, Failure, issuing, output, secret};
use crate::error::ErrorCode;
use crate::lds::{ParameterForm, country_of_name};
use crate::pki::{
    CertificateKind, CertificateRequest, IssuerDirectory, KeyKind, RevokedCertificate, Signer,
    SoftwareKey, country_name, issue, issue_crl, to_pem,
};
use crate::trust::X509;

/// Make the certificates of a test or small issuer by ICAO 9303-12.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Csca(CscaArguments),
    Ds(DsArguments),
    Crl(CrlArguments),
    Masterlist(masterlist::Arguments),
    Cvca(cvca::Arguments),
    Dv(dv::Arguments),
    Is(is::Arguments),
}

/// Make a country signing CA: csca.key, csca.crt and a first revocation list.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki csca --out pki/ --password env:PW\n  \
    cancuoc pki csca --out pki/ --key brainpoolP512r1 --explicit-parameters --password -")]
struct CscaArguments {
    /// Folder for the files, made if absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Country, two letters.
    #[arg(long, value_name = "CC", default_value = "VN")]
    country: String,
    /// Organization in the name.
    #[arg(long, value_name = "NAME", default_value = "Test issuer")]
    organization: String,
    /// Common name.
    #[arg(long, value_name = "NAME", default_value = "CSCA")]
    name: String,
    /// Key: a curve (P-256, brainpoolP384r1, …) or rsa-2048, rsa-3072, rsa-4096.
    #[arg(long, value_name = "KEY", default_value = "brainpoolP384r1", value_parser = key_kind)]
    key: KeyKind,
    /// Sign by RSASSA-PSS, with an RSA key.
    #[arg(long)]
    pss: bool,
    /// Write the curve by all its numbers instead of its name.
    #[arg(long)]
    explicit_parameters: bool,
    /// Validity of the certificate in days.
    #[arg(long, value_name = "N", default_value_t = 15 * 365)]
    days: u32,
    /// Password for the key's file; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

/// Make a document signer: ds.key and ds.crt, beside the CA's files.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki ds --issuer pki/ --password env:PW\n  \
    cancuoc pki ds --issuer pki/ --key rsa-3072 --pss --password -")]
struct DsArguments {
    /// Folder of the CA.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// Key: a curve (P-256, brainpoolP384r1, …) or rsa-2048, rsa-3072, rsa-4096.
    #[arg(long, value_name = "KEY", default_value = "P-256", value_parser = key_kind)]
    key: KeyKind,
    /// Sign by RSASSA-PSS, with an RSA key.
    #[arg(long)]
    pss: bool,
    /// Common name.
    #[arg(long, value_name = "NAME", default_value = "Document Signer")]
    name: String,
    /// Validity of the certificate in days: signing and the life of the documents.
    #[arg(long, value_name = "N", default_value_t = 10 * 365 + 92)]
    days: u32,
    /// Days for which the key signs.
    #[arg(long, value_name = "N", default_value_t = 92)]
    key_days: u32,
    /// Password of the CA's key, and for the new one; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

/// Make a revocation list: csca.crl, in place of the last one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki crl --issuer pki/ --number 2 --password env:PW\n  \
    cancuoc pki crl --issuer pki/ --number 3 --revoke pki/ds.crt --password env:PW")]
struct CrlArguments {
    /// Folder of the CA.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// Certificate to revoke, in PEM or DER; may be given several times.
    #[arg(long, value_name = "FILE")]
    revoke: Vec<PathBuf>,
    /// Number of the list, higher than the last one's.
    #[arg(long, value_name = "N")]
    number: u32,
    /// Days until the next list is due.
    #[arg(long, value_name = "N", default_value_t = 90)]
    days: u32,
    /// Password of the CA's key; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

fn key_kind(name: &str) -> Result<KeyKind, String> {
    KeyKind::from_name(name).ok_or_else(|| "P-256, brainpoolP256r1, rsa-3072, …".to_owned())
}

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Csca(arguments) => csca(context, arguments),
        Command::Ds(arguments) => ds(context, arguments),
        Command::Crl(arguments) => crl(context, arguments),
        Command::Masterlist(arguments) => masterlist::run(context, arguments),
        Command::Cvca(arguments) => cvca::run(context, arguments),
        Command::Dv(arguments) => dv::run(context, arguments),
        Command::Is(arguments) => is::run(context, arguments),
    }
}

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// Makes a key; its file keeps the choice of PSS.
fn generate(kind: KeyKind, pss: bool) -> Result<SoftwareKey, Failure> {
    if pss && matches!(kind, KeyKind::Ec(_)) {
        return Err(Failure::usage("--pss: --key rsa-2048, rsa-3072, rsa-4096"));
    }
    SoftwareKey::generate(kind, pss, &mut random()).map_err(|e| bad(&e))
}

/// Writes a new file; one that is there already is not touched.
pub(super) fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let write = output::create_private(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    write.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(ExitStatus::Protected, "pki_file_exists", "exists")
                .with("path", path.display())
        }
        _ => Failure::file(path, &error),
    })
}

fn save_key(path: &Path, key: &SoftwareKey, password: &str) -> Result<(), Failure> {
    let encrypted = key.encrypt(password, &mut random()).map_err(|e| bad(&e))?;
    write_new(path, to_pem("ENCRYPTED PRIVATE KEY", &encrypted).as_bytes())
}

fn report(context: &Context, command: &str, files: &[PathBuf]) -> Result<ExitStatus, Failure> {
    let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    if context.json {
        output::json(&json!({ "schema": format!("cancuoc.{command}/1"), "files": files }))?;
    } else {
        for file in files {
            output::line(&context.text("pki.written", &[("file", &file)]))?;
        }
    }
    Ok(ExitStatus::Done)
}

fn csca(context: &Context, arguments: &CscaArguments) -> Result<ExitStatus, Failure> {
    let letters =
        arguments.country.len() == 2 && arguments.country.bytes().all(|b| b.is_ascii_alphabetic());
    if !letters {
        return Err(Failure::usage("--country: VN"));
    }
    let password = secret::read(context, "--password", &arguments.password)?;
    let folder = &arguments.out;
    output::create_private_folder(folder).map_err(|e| Failure::file(folder, &e))?;
    let directory = IssuerDirectory::new(folder);
    let now = Timestamp::now();
    let key = generate(arguments.key, arguments.pss)?;
    let name = country_name(&arguments.country, &arguments.organization, &arguments.name);
    let public_key = key.public_key();
    let form =
        if arguments.explicit_parameters { ParameterForm::Explicit } else { ParameterForm::Named };
    let request = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &issuing::serial(&mut random()),
        issuer: &name,
        subject: &name,
        country: &arguments.country,
        public_key: &public_key,
        parameters: form,
        issuer_key: &public_key,
        validity: issuing::validity(now, arguments.days.into(), i64::from(arguments.days) / 3),
    };
    let certificate = issue(&request, &key, &mut random()).map_err(|e| bad(&e))?;
    let times = (now, after_days(now, 90));
    let list = issue_crl(&name, &[], 1, times, &key, &mut random()).map_err(|e| bad(&e))?;
    let files = ["csca.key", "csca.crt", "csca.crl"].map(|name| directory.file(name));
    save_key(&files[0], &key, &password)?;
    write_new(&files[1], to_pem("CERTIFICATE", &certificate).as_bytes())?;
    write_new(&files[2], &list)?;
    report(context, "pki-csca", &files)
}

fn after_days(now: Timestamp, days: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now)
}

/// Key and certificate of the CA.
fn authority(directory: &IssuerDirectory, password: &str) -> Result<(SoftwareKey, X509), Failure> {
    let key = directory.key("csca", password).map_err(|e| bad(&e))?;
    let certificate = directory.certificate("csca").map_err(|e| bad(&e))?;
    let certificate = X509::decode(&certificate).map_err(|e| bad(&e))?;
    Ok((key, certificate))
}

fn ds(context: &Context, arguments: &DsArguments) -> Result<ExitStatus, Failure> {
    let password = secret::read(context, "--password", &arguments.password)?;
    let directory = IssuerDirectory::new(&arguments.issuer);
    let (csca, authority) = authority(&directory, &password)?;
    let country = country_of_name(&authority.subject).unwrap_or_default();
    let key = generate(arguments.key, arguments.pss)?;
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &issuing::serial(&mut random()),
        issuer: &authority.subject,
        subject: &country_name(&country, "Test issuer", &arguments.name),
        country: &country,
        public_key: &key.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &csca.public_key(),
        validity: issuing::validity(
            Timestamp::now(),
            arguments.days.into(),
            arguments.key_days.into(),
        ),
    };
    let certificate = issue(&request, &csca, &mut random()).map_err(|e| bad(&e))?;
    let files = ["ds.key", "ds.crt"].map(|name| directory.file(name));
    save_key(&files[0], &key, &password)?;
    write_new(&files[1], to_pem("CERTIFICATE", &certificate).as_bytes())?;
    report(context, "pki-ds", &files)
}

fn crl(context: &Context, arguments: &CrlArguments) -> Result<ExitStatus, Failure> {
    let password = secret::read(context, "--password", &arguments.password)?;
    let directory = IssuerDirectory::new(&arguments.issuer);
    let (csca, authority) = authority(&directory, &password)?;
    let now = Timestamp::now();
    let mut revoked = Vec::new();
    for path in &arguments.revoke {
        let bytes = std::fs::read(path).map_err(|e| Failure::file(path, &e))?;
        let pem = der::pem::decode_vec(&bytes).ok().map(|(_, der)| der);
        let der = pem.unwrap_or(bytes);
        let certificate = X509::decode(&der).map_err(|e| bad(&e))?;
        revoked.push(RevokedCertificate { serial: certificate.serial, since: now });
    }
    let times = (now, after_days(now, arguments.days));
    let name = &authority.subject;
    let list = issue_crl(name, &revoked, arguments.number, times, &csca, &mut random())
        .map_err(|e| bad(&e))?;
    let path = directory.file("csca.crl");
    output::write_private(&path, &list).map_err(|e| Failure::file(&path, &e))?;
    report(context, "pki-crl", &[path])
}
