//! The file that counts failed authentications by chip, between runs and processes.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::card_keys::CardKeys;
use super::reader::CARD_PREFIX;
use super::{Context, ExitStatus, Failure, output};
use crate::error::ErrorCode;
use crate::globalplatform::attempts::{Attempts, MAX_LENGTH};
use crate::globalplatform::session::CardIdentity;

/// An authentication that may begin, and is to be counted when it fails.
#[derive(Debug)]
pub(super) struct Attempt {
    /// File and serial number; none where nothing is counted.
    counted: Option<(PathBuf, String)>,
}

impl Attempt {
    /// Refuses a chip with which an authentication failed before, unless told to try again.
    ///
    /// A software card has no tries to lose: it is counted only where a file is named.
    pub(super) fn begin(
        context: &Context,
        arguments: &CardKeys,
        card: &CardIdentity,
    ) -> Result<Self, Failure> {
        let software = context.reader.as_deref().is_some_and(|r| r.starts_with(CARD_PREFIX));
        let path = match arguments.attempts() {
            Some(path) => Some(path.to_owned()),
            None if software => None,
            None => default_path(),
        };
        let serial = card.production.as_ref().map(|production| production.chip_serial());
        let Some((path, serial)) = path.zip(serial) else { return Ok(Self { counted: None }) };
        // What could not be counted is not tried.
        drop(lock(&path)?);
        if !arguments.again() {
            read(&path)?.check(&serial).map_err(|error| {
                Failure::from_error(ExitStatus::Protected, &error).with("serial", &serial)
            })?;
        }
        Ok(Self { counted: Some((path, serial)) })
    }

    /// Notes how it ended. An error that says nothing of the keys is no failure of them.
    pub(super) fn end(self, error: Option<&impl ErrorCode>) -> Result<(), Failure> {
        let Some((path, serial)) = self.counted else { return Ok(()) };
        match error.map(ErrorCode::code) {
            None => {
                // The card is open, or done: what the file says of it must not undo that.
                if let Err(error) = change(&path, |attempts| attempts.succeeded(&serial)) {
                    tracing::warn!(path = %path.display(), "not cleared: {}", error.detail);
                }
                Ok(())
            }
            Some("scp_card_cryptogram" | "scp_authentication_refused") => {
                change(&path, |attempts| {
                    attempts.failed(&serial);
                    true
                })
            }
            Some(_) => Ok(()),
        }
    }
}

/// `$XDG_STATE_HOME/cancuoc/attempts.json`, by default under `~/.local/state`.
fn default_path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("cancuoc/attempts.json"))
}

fn read(path: &Path) -> Result<Attempts, Failure> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Attempts::default());
        }
        Ok(found) if found.len() > MAX_LENGTH as u64 => {
            return Err(Failure::new(ExitStatus::BadInput, "attempts_malformed", "too large")
                .with("path", path.display()));
        }
        _ => {}
    }
    let source = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
    Attempts::parse(&source).map_err(|error| {
        Failure::from_error(ExitStatus::BadInput, &error).with("path", path.display())
    })
}

/// Takes the lock beside the file, making folder and lock where there are none. It is given back
/// when it is dropped.
fn lock(path: &Path) -> Result<File, Failure> {
    let fail = |error: std::io::Error| Failure::file(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        output::create_private_folder(folder).map_err(fail)?;
    }
    let lock = path.with_extension("lock");
    let lock = File::options().create(true).append(true).open(lock).map_err(fail)?;
    lock.lock().map_err(fail)?;
    Ok(lock)
}

/// Changes the file as a whole, one process after another. Written only where something changed.
fn change(path: &Path, edit: impl FnOnce(&mut Attempts) -> bool) -> Result<(), Failure> {
    let _lock = lock(path)?;
    let mut attempts = read(path)?;
    if edit(&mut attempts) {
        let fail = |error: std::io::Error| Failure::file(path, &error);
        output::write_private(path, &attempts.encode()).map_err(fail)?;
    }
    Ok(())
}
