//! `pki masterlist`: a CSCA master list and the certificate of its signer.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::{
    Context, Failure, KeyKind, Secret, TokenKey, authority, bad, issuing, key_kind, output, random,
    report, signer_failure, write_new,
};
use crate::cli::ExitStatus;
use crate::lds::{ParameterForm, country_of_name};
use crate::pki::{
    CertificateKind, CertificateRequest, IssuerDirectory, ListSigner, Signer, country_name, issue,
    issue_master_list, to_pem,
};
use crate::trust::{self, Content};

/// Make a CSCA master list: masterlist.ml, in place of the last one; the first time its signer too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc pki masterlist --issuer pki/ --password env:PW                the CA's own certificate alone\n  \
    cancuoc pki masterlist --issuer pki/ fr.cer de.cer --password env:PW  and those of others\n\n\
    A verifier that trusts the CA (cancuoc trust add --anchor pki/csca.crt) takes the list whole:\n  \
    cancuoc trust add pki/masterlist.ml --trust csca/")]
pub(super) struct Arguments {
    /// Certificates of CSCAs to vouch for besides the CA's own, in PEM or DER.
    #[arg(value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// Folder of the CA.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// Key of the signer, where it has none yet: a curve or rsa-2048, rsa-3072, rsa-4096.
    #[arg(long, value_name = "KEY", default_value = "P-256", value_parser = key_kind)]
    key: KeyKind,
    #[command(flatten)]
    token: TokenKey,
    /// Password of the CA's key and of the signer's, or PIN of their tokens; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let password = Secret::new(context, "--password", &arguments.password);
    let directory = IssuerDirectory::new(&arguments.issuer);
    let csca = directory.certificate("csca").map_err(|e| bad(&e))?;
    let mut certificates = vec![csca.clone()];
    for path in &arguments.certificates {
        certificates.extend(read(path)?);
    }
    let mut files = Vec::new();
    let there = ["mls.key", "mls.uri", "mls.crt"].map(|name| directory.file(name));
    if there.iter().all(|path| !path.exists()) {
        files.extend(make_signer(context, &directory, arguments, &password)?);
    }
    let key = match &arguments.token.pin {
        Some(pin) => Secret::new(context, "--pin", pin).issuer_key(&directory, "mls")?,
        None => password.issuer_key(&directory, "mls")?,
    };
    let certificate = directory.certificate("mls").map_err(|e| bad(&e))?;
    let signer = ListSigner { key: &key, certificate: &certificate, issuer: &csca };
    let parts: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let list = issue_master_list(&parts, signer, Timestamp::now(), &mut random())
        .map_err(|e| signer_failure(&e))?;
    let path = directory.file("masterlist.ml");
    output::write_private(&path, &list).map_err(|e| Failure::file(&path, &e))?;
    files.push(path);
    report(context, "pki-masterlist", &files)
}

/// The certificates in a file.
fn read(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let fail = |error: &trust::TrustError| bad(error).with("path", path.display());
    let bytes = trust::read(path).map_err(|e| fail(&e))?;
    let trust::Contents { objects, problems } = trust::contents(&bytes).map_err(|e| fail(&e))?;
    if let Some(problem) = problems.first() {
        return Err(fail(problem));
    }
    let certificate = |object: trust::Object| match object.content {
        Content::Certificate { der, .. } => Ok(der),
        _ => Err(fail(&trust::TrustError::Unknown)),
    };
    objects.into_iter().map(certificate).collect()
}

/// Makes the signer, and says in which files it is.
fn make_signer(
    context: &Context,
    directory: &IssuerDirectory,
    arguments: &Arguments,
    password: &Secret<'_>,
) -> Result<[PathBuf; 2], Failure> {
    let (csca, authority) = authority(directory, password)?;
    let country = country_of_name(&authority.subject).unwrap_or_default();
    let new = arguments.token.obtain(context, (arguments.key, false), password)?;
    let request = CertificateRequest {
        kind: CertificateKind::MasterListSigner,
        serial: &issuing::serial(&mut random()),
        issuer: &authority.subject,
        subject: &country_name(&country, "Test issuer", "Master List Signer"),
        country: &country,
        public_key: &new.key.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &csca.public_key(),
        validity: issuing::validity(Timestamp::now(), 3 * 365, 365),
    };
    let certificate = issue(&request, &csca, &mut random()).map_err(|e| signer_failure(&e))?;
    new.save(directory, "mls", password)?;
    let file = directory.file("mls.crt");
    write_new(&file, to_pem("CERTIFICATE", &certificate).as_bytes())?;
    Ok([new.path(directory, "mls"), file])
}
