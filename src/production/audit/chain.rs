//! Making entries: the next one of a chain, hashed and signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cancuoc_primitives::CryptoRng;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::check_name;
use super::{Act, AuditError, Entry, Head};
use crate::pki::Signer;
use crate::production::Digest;
use crate::production::signed::{algorithm_text, base64_text, sign};

/// Most bytes of a line of an exported chain: an entry, and a signature.
pub(super) const MAX_LINE: usize = super::MAX_ENTRY + 4_096;
/// Most bytes of a signature: RSA with 8192 bits.
const MAX_SIGNATURE: usize = 1_024;

/// Makes the entries of a station.
pub struct Sealer {
    station: String,
    signer: Box<dyn Signer + Send>,
    key: Digest,
    algorithm: String,
}

impl Sealer {
    /// A station with its key.
    ///
    /// # Errors
    /// [`AuditError::Field`] for a name that is none.
    pub fn new(station: &str, signer: Box<dyn Signer + Send>) -> Result<Self, AuditError> {
        check_name("station", station)?;
        let (key, algorithm) = (Digest::of_key(&signer.public_key()), signer.algorithm());
        Ok(Self { station: station.to_owned(), key, algorithm: algorithm_text(algorithm), signer })
    }

    /// Name of the station.
    #[must_use]
    pub fn station(&self) -> &str {
        &self.station
    }

    /// Digest of the station's public key.
    #[must_use]
    pub const fn key(&self) -> Digest {
        self.key
    }

    /// Seals acts as the entry after `head`; none where the chain begins. Each act is in the bytes that are
    /// signed.
    ///
    /// # Errors
    /// [`AuditError`]; where there is no signature there is no entry.
    pub fn seal(
        &self,
        head: Option<&Head>,
        acts: Vec<Act>,
        time: Timestamp,
        random: &mut dyn CryptoRng,
    ) -> Result<SealedEntry, AuditError> {
        if head.is_some_and(|head| head.station != self.station) {
            return Err(AuditError::Field { field: "station", reason: "another's head" });
        }
        let (sequence, previous) = match head {
            Some(head) => (head.sequence.saturating_add(1), head.hash),
            None => (1, Digest::ZERO),
        };
        let place = (self.station.clone(), sequence, previous);
        let entry = Entry::new(place, (self.key, self.algorithm.clone()), time, acts);
        let bytes = entry.encode()?;
        let signature = sign(&*self.signer, &bytes, random)?;
        let Entry { station, sequence, previous, .. } = entry;
        Ok(SealedEntry { station, sequence, previous, hash: Digest::of(&bytes), bytes, signature })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("station", &self.station).field("key", &self.key).finish()
    }
}

/// An entry as it is stored: a row of the journal's table `audit`, or a line of an exported file.
///
/// What stands beside the bytes is there to find an entry by; a verifier takes it from the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// Name of the station.
    pub station: String,
    /// Sequence, from 1.
    pub sequence: u64,
    /// Hash of the entry before.
    pub previous: Digest,
    /// SHA-256 of the bytes.
    pub hash: Digest,
    /// The bytes that are signed.
    pub bytes: Vec<u8>,
    /// The signature over them.
    pub signature: Vec<u8>,
}

/// A line of an exported file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedLine<'a> {
    #[serde(borrow)]
    entry: &'a RawValue,
    hash: Digest,
    #[serde(with = "base64_text")]
    signature: Vec<u8>,
}

impl SealedEntry {
    /// The head of a chain that ends here.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { station: self.station.clone(), sequence: self.sequence, hash: self.hash }
    }

    /// Whether it may be stored after this head: the comparison of every store.
    #[must_use]
    pub fn follows(&self, head: Option<&Head>) -> bool {
        match head {
            None => self.sequence == 1 && self.previous == Digest::ZERO,
            Some(head) => {
                head.station == self.station
                    && head.sequence.checked_add(1) == Some(self.sequence)
                    && head.hash == self.previous
            }
        }
    }

    /// The line of an exported file, without its end: the bytes of the entry as they are, hash, signature.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let signature = STANDARD.encode(&self.signature);
        let hash = self.hash.to_string();
        let parts: [&[u8]; 7] = [
            br#"{"entry":"#,
            &self.bytes,
            br#","hash":""#,
            hash.as_bytes(),
            br#"","signature":""#,
            signature.as_bytes(),
            br#""}"#,
        ];
        parts.concat()
    }

    /// Reads a line of an exported file, which may come from anybody.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn decode_line(line: &[u8]) -> Result<(Self, Entry), AuditError> {
        if line.len() > MAX_LINE {
            return Err(AuditError::TooLong);
        }
        let line: ExportedLine<'_> =
            serde_json::from_slice(line).map_err(|e| AuditError::json(&e))?;
        if line.signature.len() > MAX_SIGNATURE {
            return Err(AuditError::TooLong);
        }
        let bytes = line.entry.get().as_bytes().to_vec();
        let entry = Entry::decode(&bytes)?;
        let sealed = Self {
            station: entry.station.clone(),
            sequence: entry.sequence,
            previous: entry.previous,
            hash: line.hash,
            bytes,
            signature: line.signature,
        };
        Ok((sealed, entry))
    }
}
