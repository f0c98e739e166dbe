//! Signatures that were verified before.
//!
//! A list of hundreds of certificates takes seconds to verify one by one, and says the same every time. So
//! `trust list` remembers which signatures verified. The cache must not become a way to smuggle in trust,
//! so it holds nothing that decides any: it is asked only for the signatures that certificates of a master
//! list bear *besides* that of the list itself, which is verified each time, as are anchors, links outside
//! of lists, signers and revocation lists. No verification of a document reads it.
//!
//! Which keys did *not* verify a certificate is remembered too: a certificate that nobody signed is
//! tried with every key of its State. Such a claim takes trust away at most, so links ask for it as well.

use std::collections::HashSet;
use std::sync::Mutex;

use cancuoc_primitives::ecdsa::SignatureError;
use cancuoc_primitives::hash::HashAlgorithm;

use super::X509;
use crate::lds::SignatureFault;

/// First bytes of the file.
const MAGIC: &[u8] = b"cancuoc verified signatures 1\n";
/// Bytes of an entry.
const ENTRY: usize = 32;
/// Most entries that are read.
const MAX_ENTRIES: usize = 1_000_000;

/// Signatures that verified, and that did not: hashes of certificate and key.
#[derive(Debug, Default)]
pub struct SignatureCache {
    known: HashSet<[u8; ENTRY]>,
    used: Mutex<HashSet<[u8; ENTRY]>>,
}

/// What is claimed of a certificate and a key: an entry for each outcome.
pub(super) struct Claims {
    /// The key verifies the certificate.
    pub verified: [u8; ENTRY],
    /// It does not.
    pub failed: [u8; ENTRY],
}

impl Claims {
    /// SHA-256 of what is signed, how, by which key; the other with one word more.
    pub(super) fn on(certificate: &X509, issuer: &X509) -> Self {
        let hash = |bytes: &[u8]| HashAlgorithm::Sha256.digest(bytes);
        let parts = [MAGIC, &hash(&certificate.der), &hash(issuer.spki())].concat();
        let entry = |parts: &[u8]| {
            let mut entry = [0; ENTRY];
            entry.copy_from_slice(&hash(parts));
            entry
        };
        Self { verified: entry(&parts), failed: entry(&[&parts[..], b"not"].concat()) }
    }
}

impl SignatureCache {
    /// Reads a cache; one that is malformed is empty.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let entries = bytes.strip_prefix(MAGIC).unwrap_or_default();
        let (entries, rest) = entries.as_chunks::<ENTRY>();
        let known = if rest.is_empty() && entries.len() <= MAX_ENTRIES {
            entries.iter().copied().collect()
        } else {
            HashSet::new()
        };
        Self { known, used: Mutex::default() }
    }

    /// The entries that were asked for and are true: what is no longer in the store is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<_> = match self.used.lock() {
            Ok(used) => used.iter().copied().collect(),
            Err(_) => Vec::new(),
        };
        entries.sort_unstable();
        [MAGIC, entries.as_flattened()].concat()
    }

    /// Whether the key of one certificate verifies another, from memory where it is known.
    #[must_use]
    pub fn verify(&self, certificate: &X509, issuer: &X509) -> bool {
        if !may_sign(certificate, issuer) {
            return false;
        }
        let claims = Claims::on(certificate, issuer);
        if self.known.contains(&claims.verified) {
            self.keep(claims.verified);
            return true;
        }
        self.try_anew(certificate, issuer, &claims)
    }

    /// The same, but that it does is found out each time; that it does not is taken from memory.
    #[must_use]
    pub fn verify_anew(&self, certificate: &X509, issuer: &X509) -> bool {
        may_sign(certificate, issuer)
            && self.try_anew(certificate, issuer, &Claims::on(certificate, issuer))
    }

    fn try_anew(&self, certificate: &X509, issuer: &X509, claims: &Claims) -> bool {
        if self.known.contains(&claims.failed) {
            self.keep(claims.failed);
            return false;
        }
        let verified = certificate.verify(&issuer.key);
        match verified {
            Ok(_) => self.keep(claims.verified),
            Err(SignatureFault::Signature(SignatureError::Wrong)) => self.keep(claims.failed),
            // What costs nothing to find out, or another version may see otherwise.
            Err(_) => {}
        }
        verified.is_ok()
    }

    fn keep(&self, claim: [u8; ENTRY]) {
        if let Ok(mut used) = self.used.lock() {
            used.insert(claim);
        }
    }
}

/// Whether the key is of the kind that the signature asks for: else there is nothing to verify.
fn may_sign(certificate: &X509, issuer: &X509) -> bool {
    certificate.signature_algorithm().is_ok_and(|algorithm| algorithm.fits(&issuer.key))
}
