//! From a record of the journal to the image of its card, before any card is touched.

use jiff::tz::TimeZone;

use crate::error::ErrorCode;
use crate::issue::{CardImage, DocumentSigner, Location, PrepareError, prepare};
use crate::lds::{CertificateParts, DgNumber, FileId, SecurityInfoKind, security_infos_of_dg14};
use crate::pki::SignerError;
use crate::production::intake::Payload;
use crate::production::journal::{Act, Card, ChipSerial, Digest, Facts, Job, Lease};

use super::{SealError, Station, StationError};

/// A record that is ready for its card.
pub struct Prepared {
    pub(super) lease: Lease,
    /// Place of the record in its run.
    pub(super) sequence: u64,
    /// Cards that became void for it.
    pub(super) attempts: u32,
    /// The card that was begun for it.
    pub(super) card: Option<Card>,
    pub(super) image: CardImage,
}

impl core::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Prepared({})", self.lease.record)
    }
}

impl Prepared {
    /// The chip that the record's card was begun with.
    pub(super) fn begun_with(&self) -> Option<&ChipSerial> {
        self.card.as_ref().map(|card| &card.chip)
    }

    fn data_group(&self, number: u8) -> &[u8] {
        DgNumber::new(number).map(|number| self.file(number.file())).unwrap_or_default()
    }

    fn file(&self, fid: FileId) -> &[u8] {
        let file = self.image.file(Location::Lds1, fid.0);
        file.map(|file| file.content.as_slice()).unwrap_or_default()
    }

    /// What the journal keeps of the image: enough to know the card again, no key, no personal data.
    pub(super) fn facts(&self, certificate: &[u8]) -> Facts {
        let parts = CertificateParts::decode(certificate);
        let serial = parts.map(|parts| hex::encode_upper(parts.serial)).unwrap_or_default();
        let mut all = Vec::new();
        for file in &self.image.files {
            all.extend_from_slice(Digest::of(&file.content).as_bytes());
        }
        let mut facts = Facts::new()
            .with(Facts::IMAGE_DIGEST, Digest::of(&all))
            .with(Facts::SOD_DIGEST, Digest::of(self.file(FileId::SOD)))
            .with(Facts::SIGNER_SERIAL, serial);
        for (name, key) in self.public_keys() {
            facts = facts.with(name, key);
        }
        facts
    }

    /// Digests of the chip's public keys, by the name of the fact.
    pub(super) fn public_keys(&self) -> Vec<(&'static str, Digest)> {
        let mut keys = Vec::new();
        let dg15 = self.data_group(15);
        if !dg15.is_empty() {
            keys.push((Facts::ACTIVE_KEY, Digest::of(dg15)));
        }
        if let Ok(infos) = security_infos_of_dg14(self.data_group(14)) {
            for info in &infos.infos {
                if let SecurityInfoKind::ChipAuthenticationPublicKey(key) = &info.kind {
                    keys.push((Facts::CHIP_KEY, Digest::of(&key.spki)));
                }
            }
        }
        keys
    }
}

impl Station<'_> {
    /// Opens, checks and signs. `None` when the record itself is not usable: it is in quarantine.
    pub(super) fn prepare(&mut self, job: Job) -> Result<Option<Prepared>, StationError> {
        let at = (self.line.clock)();
        let today = TimeZone::UTC.to_datetime(at).date();
        let Job { lease, record: row, payload, card, .. } = job;
        let opened = match self.line.seal.open(&row.run, &row.id, &payload) {
            Ok(opened) => opened,
            Err(SealError::Unavailable(why)) => {
                self.journal.give_back(Act::new(&self.id, at), &lease)?;
                return Err(StationError::KeyStore(why));
            }
            Err(SealError::Unusable(_)) => return self.set_aside(&lease, "record_seal_broken"),
        };
        let Ok(payload) = Payload::decode(&opened) else {
            return self.set_aside(&lease, "payload_malformed");
        };
        let Some(record) = payload.review(today, self.line.terms).record else {
            return self.set_aside(&lease, "record_not_usable");
        };
        let signer =
            DocumentSigner { signer: self.line.signer, certificate: self.line.certificate };
        let image = match prepare(&record, signer, at, &mut *self.random) {
            Ok(image) => image,
            Err(PrepareError::Profile { .. } | PrepareError::TrustPoint { .. }) => {
                return self.set_aside(&lease, "profile_not_supported");
            }
            Err(error) => {
                self.journal.give_back(Act::new(&self.id, at), &lease)?;
                return Err(signing(&error));
            }
        };
        let (sequence, attempts) = (row.sequence, row.attempts);
        let prepared = Prepared { lease, sequence, attempts, card, image };
        let keys: Vec<Digest> = prepared.public_keys().into_iter().map(|(_, key)| key).collect();
        self.journal.register_keys(Act::new(&self.id, at), &prepared.lease, &keys)?;
        Ok(Some(prepared))
    }

    /// Puts a record aside before any card was taken for it.
    fn set_aside<T>(&mut self, lease: &Lease, reason: &str) -> Result<Option<T>, StationError> {
        let act = Act::new(&self.id, (self.line.clock)());
        self.journal.quarantine(act, Some(lease), &lease.record, reason, &Facts::new())?;
        Ok(None)
    }
}

fn signing(error: &PrepareError) -> StationError {
    match error {
        PrepareError::Signer(SignerError::Unavailable(why)) => StationError::KeyStore(why.clone()),
        other => StationError::Signer { code: other.code(), message: other.to_string() },
    }
}
