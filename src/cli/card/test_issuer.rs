//! An issuer made for one test card, beside it.

use std::path::{Path, PathBuf};

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;
use jiff::Timestamp;

use crate::cli::issuing::{self, Issuer};
use crate::cli::{ExitStatus, Failure, output};
use crate::pki::{KeyKind, SoftwareKey, to_pem};

/// The password of a test issuer's key files, so that scripts can issue more with them.
pub(super) const PASSWORD: &str = "test";

/// Where the issuer of a card's file lies: the file's name, ending in `.issuer`.
pub(super) fn folder_beside(card: &Path) -> PathBuf {
    card.with_extension("issuer")
}

/// Refuses a folder with files in it: it may be the issuer of other cards.
pub(super) fn refuse_used(folder: &Path) -> Result<(), Failure> {
    let used = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if used {
        return Err(Failure::new(ExitStatus::Protected, "pki_file_exists", "not empty")
            .with("path", folder.display()));
    }
    Ok(())
}

/// Makes country signing CA, document signer and revocation list.
pub(super) fn make(now: Timestamp, random: &mut dyn CryptoRng) -> Result<Issuer, Failure> {
    let request = issuing::IssuerRequest {
        country: "VN",
        organization: "Test issuer",
        name: "Test CSCA",
        csca: KeyKind::Ec(Curve::BrainpoolP384r1),
        document_signer: KeyKind::Ec(Curve::P256),
        now,
    };
    issuing::new_issuer(&request, random)
}

/// Saves the issuer: keys and certificates as `pki` does, and what a verifier needs in the folder
/// `trust`.
pub(super) fn save_all(
    folder: &Path,
    issuer: &Issuer,
    random: &mut dyn CryptoRng,
) -> Result<(), Failure> {
    let trust = folder.join("trust");
    for folder in [folder, &trust] {
        output::create_private_folder(folder).map_err(|e| Failure::file(folder, &e))?;
    }
    let csca = to_pem("CERTIFICATE", &issuer.csca_certificate);
    let ds = to_pem("CERTIFICATE", &issuer.ds_certificate);
    save(&trust, "csca.crt", csca.as_bytes())?;
    save(&trust, "csca.crl", &issuer.crl)?;
    save(folder, "csca.crt", csca.as_bytes())?;
    save(folder, "csca.crl", &issuer.crl)?;
    save(folder, "ds.crt", ds.as_bytes())?;
    save(folder, "csca.key", key(&issuer.csca, random)?.as_bytes())?;
    save(folder, "ds.key", key(&issuer.ds, random)?.as_bytes())
}

fn save(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    output::write_private(&path, content).map_err(|e| Failure::file(&path, &e))
}

fn key(key: &SoftwareKey, random: &mut dyn CryptoRng) -> Result<String, Failure> {
    let encrypted = key.encrypt(PASSWORD, random);
    let encrypted = encrypted.map_err(|e| Failure::from_error(ExitStatus::Defect, &e))?;
    Ok(to_pem("ENCRYPTED PRIVATE KEY", &encrypted))
}
