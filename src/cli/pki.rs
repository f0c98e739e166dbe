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

use super::key_store::{self, Secret, signer_failure};
use super::{Context, ExitStatus, Failure, issuing, output, secret};
use crate::error::ErrorCode;
use crate::keystore::{IssuerKey, KeyUri, RsaScheme};
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
    cancuoc pki csca --out pki/ --key brainpoolP512r1 --explicit-parameters --password -\n  \
    cancuoc pki csca --out pki/ --key-uri 'pkcs11:token=CSCA;object=csca' --pin -      a key in an HSM")]
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
    #[command(flatten)]
    token: TokenKey,
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
    cancuoc pki ds --issuer pki/ --key rsa-3072 --pss --password -\n  \
    cancuoc pki ds --issuer pki/ --password env:PW --key-uri 'pkcs11:token=DS;object=ds' --pin env:PIN")]
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
    #[command(flatten)]
    token: TokenKey,
    /// Common name.
    #[arg(long, value_name = "NAME", default_value = "Document Signer")]
    name: String,
    /// Validity of the certificate in days: signing and the life of the documents.
    #[arg(long, value_name = "N", default_value_t = 10 * 365 + 92)]
    days: u32,
    /// Days for which the key signs.
    #[arg(long, value_name = "N", default_value_t = 92)]
    key_days: u32,
    /// Password of the CA's key (the PIN of its token), and for the file of the new one; -, env:NAME, file:PATH.
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
    /// Password of the CA's key, or PIN of its token; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

/// A key in a token in place of a new one in a file.
#[derive(Debug, Args)]
struct TokenKey {
    /// Take the key that lies in a token (an HSM) under this pkcs11: URI; cancuoc keys init makes one.
    #[arg(long, value_name = "URI", value_parser = key_store::key_uri, conflicts_with = "key")]
    key_uri: Option<KeyUri>,
    /// PIN of that token: -, env:NAME, file:PATH; default: as --password.
    #[arg(long, value_name = "SECRET", requires = "key_uri")]
    pin: Option<String>,
}

/// The new key of an issuer: in a token, or made for a file.
struct NewKey {
    key: IssuerKey,
    /// Its complete URI, where it is in a token.
    uri: Option<KeyUri>,
}

impl TokenKey {
    /// Takes the key of the token, or makes one.
    fn obtain(
        &self,
        context: &Context,
        (kind, pss): (KeyKind, bool),
        password: &Secret<'_>,
    ) -> Result<NewKey, Failure> {
        let Some(uri) = &self.key_uri else {
            let key = IssuerKey::Software(Box::new(generate(kind, pss)?));
            return Ok(NewKey { key, uri: None });
        };
        let pin = match &self.pin {
            Some(pin) => Secret::new(context, "--pin", pin).pin(uri)?,
            None => password.pin(uri)?,
        };
        let scheme = if pss { Some(RsaScheme::Pss) } else { uri.rsa_scheme };
        let uri = KeyUri { rsa_scheme: scheme, ..uri.clone() };
        let token = key_store::token(&uri, None, Some(pin))?;
        let key = token.signer(&uri).map_err(|e| key_store::failure(&e))?;
        let uri = Some(key_store::complete(&token, &uri));
        Ok(NewKey { key: IssuerKey::Token(Box::new(key)), uri })
    }
}

impl NewKey {
    /// The file that says where the key is: with the key, or with its URI.
    fn path(&self, directory: &IssuerDirectory, name: &str) -> PathBuf {
        let extension = if self.uri.is_some() { "uri" } else { "key" };
        directory.file(&format!("{name}.{extension}"))
    }

    /// Writes that file, where neither kind is there yet.
    fn save(
        &self,
        directory: &IssuerDirectory,
        name: &str,
        password: &Secret<'_>,
    ) -> Result<(), Failure> {
        let path = self.path(directory, name);
        let both = ["key", "uri"].map(|extension| directory.file(&format!("{name}.{extension}")));
        if let Some(other) = both.iter().find(|path| path.exists()) {
            return Err(file_exists(other));
        }
        match (&self.key, &self.uri) {
            (IssuerKey::Software(key), _) => save_key(&path, key, password.get()?),
            (IssuerKey::Token(_), uri) => {
                let uri = uri.as_ref().map(ToString::to_string).unwrap_or_default();
                write_new(&path, format!("{uri}\n").as_bytes())
            }
        }
    }
}

fn file_exists(path: &Path) -> Failure {
    Failure::new(ExitStatus::Protected, "pki_file_exists", "exists").with("path", path.display())
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
        std::io::ErrorKind::AlreadyExists => file_exists(path),
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
    let password = Secret::new(context, "--password", &arguments.password);
    let folder = &arguments.out;
    let new = arguments.token.obtain(context, (arguments.key, arguments.pss), &password)?;
    let key = &new.key;
    output::create_private_folder(folder).map_err(|e| Failure::file(folder, &e))?;
    let directory = IssuerDirectory::new(folder);
    let now = Timestamp::now();
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
    let certificate = issue(&request, key, &mut random()).map_err(|e| signer_failure(&e))?;
    let times = (now, after_days(now, 90));
    let list = issue_crl(&name, &[], 1, times, key, &mut random());
    let list = list.map_err(|e| signer_failure(&e))?;
    let [certificate_file, list_file] = ["csca.crt", "csca.crl"].map(|name| directory.file(name));
    new.save(&directory, "csca", &password)?;
    write_new(&certificate_file, to_pem("CERTIFICATE", &certificate).as_bytes())?;
    write_new(&list_file, &list)?;
    report(context, "pki-csca", &[new.path(&directory, "csca"), certificate_file, list_file])
}

fn after_days(now: Timestamp, days: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now)
}

/// Key and certificate of the CA.
fn authority(
    directory: &IssuerDirectory,
    password: &Secret<'_>,
) -> Result<(IssuerKey, X509), Failure> {
    let key = password.issuer_key(directory, "csca")?;
    let certificate = directory.certificate("csca").map_err(|e| bad(&e))?;
    let certificate = X509::decode(&certificate).map_err(|e| bad(&e))?;
    Ok((key, certificate))
}

fn ds(context: &Context, arguments: &DsArguments) -> Result<ExitStatus, Failure> {
    let password = Secret::new(context, "--password", &arguments.password);
    let directory = IssuerDirectory::new(&arguments.issuer);
    let (csca, authority) = authority(&directory, &password)?;
    let country = country_of_name(&authority.subject).unwrap_or_default();
    let new = arguments.token.obtain(context, (arguments.key, arguments.pss), &password)?;
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &issuing::serial(&mut random()),
        issuer: &authority.subject,
        subject: &country_name(&country, "Test issuer", &arguments.name),
        country: &country,
        public_key: &new.key.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &csca.public_key(),
        validity: issuing::validity(
            Timestamp::now(),
            arguments.days.into(),
            arguments.key_days.into(),
        ),
    };
    let certificate = issue(&request, &csca, &mut random()).map_err(|e| signer_failure(&e))?;
    let file = directory.file("ds.crt");
    new.save(&directory, "ds", &password)?;
    write_new(&file, to_pem("CERTIFICATE", &certificate).as_bytes())?;
    report(context, "pki-ds", &[new.path(&directory, "ds"), file])
}

fn crl(context: &Context, arguments: &CrlArguments) -> Result<ExitStatus, Failure> {
    let password = Secret::new(context, "--password", &arguments.password);
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
        .map_err(|e| signer_failure(&e))?;
    let path = directory.file("csca.crl");
    output::write_private(&path, &list).map_err(|e| Failure::file(&path, &e))?;
    report(context, "pki-crl", &[path])
}
