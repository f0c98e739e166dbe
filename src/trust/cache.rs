//! Signatures that were verified before.
//!
//! A list of hundreds of certificates takes seconds to verify one by one, and says the same every time. So
//! `trust list` remembers which signatures verified. The cache must not become a way to smuggle in trust,
//! so it holds nothing that decides any: it is asked only for the signatures that certificates of a master
//! list bear *besides* that of the list itself, which is verified each time, as are anchors, links outside
//! of lists, signers and revocation lists. No verification of a document reads it.

use std::collections::HashSet;
use std::sync::Mutex;

use cancuoc_primitives::hash::HashAlgorithm;

use super::X509;

/// First bytes of the file.
const MAGIC: &[u8] = b"cancuoc verified signatures 1\n";
/// Bytes of an entry.
const ENTRY: usize = 32;
/// Most entries that are read.
const MAX_ENTRIES: usize = 1_000_000;

/// Signatures that verified: hashes of certificate and key.
#[derive(Debug, Default)]
pub struct SignatureCache {
    known: HashSet<[u8; ENTRY]>,
    used: Mutex<HashSet<[u8; ENTRY]>>,
}

/// SHA-256 of what is signed, how, by which key.
fn entry(certificate: &X509, issuer: &X509) -> [u8; ENTRY] {
    let hash = |bytes: &[u8]| HashAlgorithm::Sha256.digest(bytes);
    let parts = [MAGIC, &hash(&certificate.der), &hash(issuer.parts().spki)].concat();
    let mut entry = [0; ENTRY];
    entry.copy_from_slice(&hash(&parts));
    entry
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
        let entry = entry(certificate, issuer);
        let verified = self.known.contains(&entry) || certificate.verify(&issuer.key).is_ok();
        if verified && let Ok(mut used) = self.used.lock() {
            used.insert(entry);
        }
        verified
    }
}
