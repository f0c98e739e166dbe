//! What a verifier trusts: the folders beside the cards.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;

use super::DeckError;
use super::certificate::{CertificateDraft, KEY_USAGE, SUBJECT_KEY_IDENTIFIER, key_identifier};
use super::workshop::{CSCA_SERIAL, CountrySigner, DOCUMENT_SIGNER_SERIAL, Workshop};
use crate::lds::{ParameterForm, write};
use crate::pki::{KeyKind, Signer};

/// Files by their names.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// A trust folder of the deck.
#[derive(Debug, Clone, Copy)]
pub struct Trust {
    /// Name of the folder in `trust/`.
    pub name: &'static str,
    pub(super) make: fn(&Workshop) -> Result<Files, DeckError>,
}

/// Until when revocation lists are current.
pub(super) const CURRENT: &str = "2048-01-01T00:00:00Z";

/// A file with its name.
pub(super) fn named(name: &str, content: Vec<u8>) -> (String, Vec<u8>) {
    (name.to_owned(), content)
}

/// The issuer and its revocation list, on which nothing stands.
pub(super) fn base(workshop: &Workshop) -> Result<Files, DeckError> {
    let csca = &workshop.csca;
    let list = revocation_list(workshop, csca)?;
    Ok(vec![named("vn-csca.cer", csca.certificate.clone()), list])
}

/// The current revocation list of an issuer, on which nothing stands, as a file.
pub(super) fn revocation_list(
    workshop: &Workshop,
    csca: &CountrySigner,
) -> Result<(String, Vec<u8>), DeckError> {
    let list = workshop.with_random(|r| csca.revocation_list(&[], CURRENT, &csca.key, r))?;
    Ok(named("vn-csca.crl", list))
}

/// The issuer of the genuine cards.
pub(super) const BASE: Trust = Trust { name: "base", make: base };

/// Nobody.
pub(super) const NOBODY: Trust = Trust { name: "nobody", make: |_| Ok(Vec::new()) };

/// The issuer, and the one of another country.
pub(super) const TWO_COUNTRIES: Trust = Trust {
    name: "two-countries",
    make: |workshop| {
        let mut files = base(workshop)?;
        files.push(named("zw-csca.cer", foreign_csca()?.certificate));
        Ok(files)
    },
};

/// A country signing CA of another country.
pub(super) fn foreign_csca() -> Result<CountrySigner, DeckError> {
    let mut random = super::random::Reproducible::new("foreign CSCA");
    let kind = KeyKind::Ec(Curve::P256);
    CountrySigner::new("ZW", "Specimen CSCA", kind, ParameterForm::Named, &mut random)
}

/// A country signing CA on brainpoolP512r1 that tells all its parameters, as passports have it.
pub(super) fn explicit_csca() -> Result<CountrySigner, DeckError> {
    let mut random = super::random::Reproducible::new("explicit CSCA");
    let kind = KeyKind::Ec(Curve::BrainpoolP512r1);
    CountrySigner::new("VN", "Explicit CSCA", kind, ParameterForm::Explicit, &mut random)
}

/// That CA and its revocation list.
pub(super) const EXPLICIT_P512: Trust = Trust {
    name: "explicit-p512",
    make: |workshop| {
        let csca = explicit_csca()?;
        let list = revocation_list(workshop, &csca)?;
        Ok(vec![named("vn-explicit.cer", csca.certificate), list])
    },
};

/// The issuer, whose certificate does not let it sign certificates.
pub(super) const MAY_NOT_SIGN: Trust = Trust {
    name: "may-not-sign",
    make: |workshop| {
        let csca = &workshop.csca;
        // Revocation lists only.
        let draft = CertificateDraft::of(&csca.certificate)?;
        let draft = draft.with(KEY_USAGE, true, &[3, 2, 1, 0x02]);
        let certificate = workshop.with_random(|random| draft.sign(&csca.key, random))?;
        Ok(vec![named("vn-csca.cer", certificate)])
    },
};

fn with_list(workshop: &Workshop, list: Option<Vec<u8>>) -> Files {
    let mut files = vec![named("vn-csca.cer", workshop.csca.certificate.clone())];
    files.extend(list.map(|list| named("vn-csca.crl", list)));
    files
}

/// The issuer, and a list on which a certificate of it stands.
fn revoking(workshop: &Workshop, serial: &[u8]) -> Result<Files, DeckError> {
    let csca = &workshop.csca;
    let list = |r: &mut dyn CryptoRng| csca.revocation_list(&[serial], CURRENT, &csca.key, r);
    Ok(with_list(workshop, Some(workshop.with_random(list)?)))
}

/// The issuer, and a list on which the document signer stands.
pub(super) const REVOKED: Trust =
    Trust { name: "revoked", make: |workshop| revoking(workshop, &DOCUMENT_SIGNER_SERIAL) };

/// The issuer, and a list on which it stands itself.
pub(super) const CSCA_REVOKED: Trust =
    Trust { name: "csca-revoked", make: |workshop| revoking(workshop, &CSCA_SERIAL) };

/// The issuer, and a list of long ago.
pub(super) const LIST_EXPIRED: Trust = Trust {
    name: "list-expired",
    make: |workshop| {
        let (csca, until) = (&workshop.csca, "2024-09-01T00:00:00Z");
        let list = workshop.with_random(|r| csca.revocation_list(&[], until, &csca.key, r))?;
        Ok(with_list(workshop, Some(list)))
    },
};

/// The issuer, and a list in its name that somebody else signed.
pub(super) const LIST_OF_ANOTHER: Trust = Trust {
    name: "list-of-another",
    make: |workshop| {
        let (csca, key) = (&workshop.csca, workshop.ec_key()?);
        let list = workshop.with_random(|r| csca.revocation_list(&[], CURRENT, &key, r))?;
        Ok(with_list(workshop, Some(list)))
    },
};

/// The issuer, and no list.
pub(super) const NO_LIST: Trust =
    Trust { name: "no-list", make: |workshop| Ok(with_list(workshop, None)) };

/// The issuer after a CA of another name that has the identifier of its key.
pub(super) const SAME_KEY_IDENTIFIER: Trust = Trust {
    name: "same-key-identifier",
    make: |workshop| {
        let other = another(workshop, "First CSCA")?;
        let draft = CertificateDraft::of(&other.certificate)?;
        let identifier = key_identifier(&workshop.csca.key.public_key());
        let draft = draft.with(SUBJECT_KEY_IDENTIFIER, false, &write::octets(&identifier));
        let certificate = workshop.with_random(|random| draft.sign(&other.key, random))?;
        let mut files = base(workshop)?;
        files.insert(0, named("a-csca.cer", certificate));
        Ok(files)
    },
};

/// The issuer after the certificate of another key of the same name.
pub(super) const SAME_NAME: Trust = Trust {
    name: "same-name",
    make: |workshop| {
        let mut files = base(workshop)?;
        files.insert(0, named("a-csca.cer", another(workshop, "Specimen CSCA")?.certificate));
        Ok(files)
    },
};

fn another(workshop: &Workshop, name: &str) -> Result<CountrySigner, DeckError> {
    let (key, form) = (workshop.ec_key()?, ParameterForm::Named);
    workshop.with_random(|random| CountrySigner::with_key("VN", name, key, form, random))
}
