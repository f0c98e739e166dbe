//! Keeping an evidence file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::key_files::{load_key, read_der};
use super::super::{Context, ExitStatus, Failure, output, secret};
use super::Outcome;
use crate::error::ErrorCode;
use crate::pki::{Signer, SoftwareKey};
use crate::trust::X509;
use crate::verify::Inspection;
use crate::verify::evidence::{InspectionRecord, signature};

/// The options.
#[derive(Debug, Clone, Args)]
pub(super) struct EvidenceOptions {
    /// Keep all that the verdict rests on in FILE, to verify it again without the card. It holds
    /// personal data: readable by you alone.
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    form: EvidenceForm,
}

/// What evidence files look like: beside an option `--evidence` that says where they are kept.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct EvidenceForm {
    /// Leave personal data out of the evidence file, and keep their hashes.
    #[arg(long, requires = "evidence")]
    evidence_redact: bool,
    /// Sign the evidence file with this key: encrypted PKCS #8 in PEM.
    #[arg(long, value_name = "FILE", requires = "evidence")]
    evidence_key: Option<PathBuf>,
    /// Password of the key; -, env:NAME, file:PATH.
    #[arg(
        long,
        value_name = "SECRET",
        requires = "evidence_key",
        default_value_if("evidence_key", clap::builder::ArgPredicate::IsPresent, "-")
    )]
    evidence_password: Option<String>,
    /// Certificate of the key, to be put beside the signature.
    #[arg(long, value_name = "FILE", requires = "evidence_key")]
    evidence_certificate: Option<PathBuf>,
}

/// The options, with the key read: before the card is asked for anything.
pub(super) struct Keeper {
    path: Option<PathBuf>,
    form: Form,
}

/// The form of evidence files, with the key read.
pub(in crate::cli) struct Form {
    redact: bool,
    key: Option<SoftwareKey>,
    certificate: Option<Vec<u8>>,
}

fn bad(path: &Path, error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error).with("file", path.display())
}

impl EvidenceOptions {
    /// Reads key and certificate.
    ///
    /// # Errors
    /// A [`Failure`] that names the file and what is wrong with it.
    pub(super) fn resolve(&self, context: &Context) -> Result<Keeper, Failure> {
        Ok(Keeper { path: self.evidence.clone(), form: self.form.resolve(context)? })
    }
}

impl EvidenceForm {
    /// Reads key and certificate.
    ///
    /// # Errors
    /// A [`Failure`] that names the file and what is wrong with it.
    pub(in crate::cli) fn resolve(&self, context: &Context) -> Result<Form, Failure> {
        let key = match (&self.evidence_key, &self.evidence_password) {
            (Some(path), Some(password)) => {
                let password = secret::read(context, "--evidence-password", password)?;
                Some(load_key(path, &password)?)
            }
            _ => None,
        };
        let certificate = match (&self.evidence_certificate, &key) {
            (Some(path), Some(key)) => Some(load_certificate(path, key)?),
            _ => None,
        };
        Ok(Form { redact: self.evidence_redact, key, certificate })
    }
}

impl Form {
    /// The bytes of an evidence file.
    ///
    /// # Errors
    /// A [`Failure`] where it would be too long, or the key does not sign.
    pub(in crate::cli) fn file(&self, mut record: InspectionRecord) -> Result<Vec<u8>, Failure> {
        if self.redact {
            record = record.redacted();
        }
        let line = record.encode().map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
        let certificate = self.certificate.as_deref();
        let signer = self.key.as_ref().map(|key| (key as &dyn Signer, certificate));
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        let file = signature::file(&line, signer, &mut random);
        file.map_err(|e| Failure::from_error(ExitStatus::Unavailable, &e))
    }
}

fn load_certificate(path: &Path, key: &SoftwareKey) -> Result<Vec<u8>, Failure> {
    let certificate = X509::decode(&read_der(path)?).map_err(|e| bad(path, &e))?;
    if certificate.key != key.public_key() {
        let failure = Failure::new(ExitStatus::BadInput, "evidence_certificate_key", "other key");
        return Err(failure.with("file", path.display()));
    }
    Ok(certificate.der)
}

impl Keeper {
    /// Writes the evidence file, where one is wanted.
    pub(super) fn keep(
        &self,
        outcome: &Outcome,
        inspection: &Inspection<'_>,
    ) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let (files, chip) = (&outcome.files, &outcome.chip);
        let mut record = InspectionRecord::new(files, chip, inspection, &outcome.report);
        record.session = outcome.session;
        let file = self.form.file(record)?;
        output::write_private(path, &file).map_err(|e| Failure::file(path, &e))
    }
}
