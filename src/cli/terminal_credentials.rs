//! The options of Terminal Authentication: certificates and key of the terminal.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{Context, ExitStatus, Failure, secret};
use crate::cvc::{CvCertificate, CvDate, Role};
use crate::error::ErrorCode;
use crate::pki::{SoftwareKey, from_pem};
use crate::terminal::terminal_authentication::TerminalCredentials;

/// Largest certificate file that is read, in bytes: many certificates one after another.
const MAX_FILE: u64 = 256 * 1024;

/// The options.
#[derive(Debug, Clone, Args)]
pub(super) struct TerminalOptions {
    /// CV certificates of the terminal's chain, in any order: document verifier, terminal, links.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "terminal_key")]
    terminal_chain: Vec<PathBuf>,
    /// Key of the terminal's certificate: opens DG3 and DG4 by Terminal Authentication.
    #[arg(long, value_name = "FILE", requires = "terminal_chain")]
    terminal_key: Option<PathBuf>,
    /// Password of the terminal's key; -, env:NAME, file:PATH.
    #[arg(
        long,
        value_name = "SECRET",
        requires = "terminal_key",
        default_value_if("terminal_key", clap::builder::ArgPredicate::IsPresent, "-")
    )]
    terminal_password: Option<String>,
}

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

impl TerminalOptions {
    /// Reads certificates and key; `None` where none are given.
    ///
    /// # Errors
    /// A [`Failure`] that names the file and what is wrong with it.
    pub(super) fn resolve(
        &self,
        context: &Context,
    ) -> Result<Option<TerminalCredentials>, Failure> {
        let (Some(key), Some(password)) = (&self.terminal_key, &self.terminal_password) else {
            return Ok(None);
        };
        let mut certificates = Vec::new();
        for path in &self.terminal_chain {
            let bytes = read_file(path)?;
            let read = CvCertificate::decode_all(&bytes);
            certificates.extend(read.map_err(|e| bad(&e).with("file", path.display()))?);
        }
        let password = secret::read(context, "--terminal-password", password)?;
        let key = load_key(key, &password, &certificates)?;
        let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
        let today = CvDate::new(today).map_err(|e| bad(&e))?;
        Ok(Some(TerminalCredentials::new(certificates, Arc::new(key), today)))
    }
}

/// The key, set to sign with the algorithm of the terminal's certificate.
fn load_key(
    path: &Path,
    password: &str,
    certificates: &[CvCertificate],
) -> Result<SoftwareKey, Failure> {
    let text = read_file(path)?;
    let text = String::from_utf8_lossy(&text);
    let malformed =
        || Failure::new(ExitStatus::BadInput, "key_malformed", "not an encrypted key in PEM");
    let encrypted = from_pem(&text, "ENCRYPTED PRIVATE KEY")
        .ok_or_else(|| malformed().with("file", path.display()))?;
    let key = SoftwareKey::decrypt(&encrypted, password);
    let key = key.map_err(|e| bad(&e).with("file", path.display()))?;
    let terminal = certificates.iter().find(|c| c.body().authorization.role() == Role::Terminal);
    match terminal {
        Some(certificate) => {
            let algorithm = certificate.body().public_key.algorithm.signature_algorithm();
            key.with_algorithm(algorithm).map_err(|e| bad(&e).with("file", path.display()))
        }
        // Without a terminal's certificate there is no chain, which is said when it is looked for.
        None => Ok(key),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| Failure::file(path, &e))?;
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|e| Failure::file(path, &e))?;
    Ok(bytes)
}
