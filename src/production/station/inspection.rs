//! Reading a card back as a verifier does.
//!
//! A card that was written in this session is compared with its image, byte by byte. Of one that
//! was written before, the image is gone with its private keys: it must be genuine to a verifier
//! who trusts this site, and carry the security object that the journal noted.

use rand_core::CryptoRng;

use crate::document::{AccessKeys, MrzKey};
use crate::error::ErrorCode;
use crate::globalplatform::personalize::{Inspection, ReadBack, ReadBackError};
use crate::globalplatform::read_back::TerminalInspection;
use crate::issue::CardImage;
use crate::lds::FileId;
use crate::production::journal::{Digest, Facts};
use crate::terminal::{AccessPlan, AccessPolicy, ReadOptions, TerminalError, read_chip};
use crate::transport::CardTransport;
use crate::verify::{self, ChipEvidence, DocumentFiles, Expected, Verdict};

use super::Line;

/// What is asked of the card.
pub(super) enum Asked<'a> {
    /// Every byte of the image; with `true` a verifier's verdict too.
    Image(bool),
    /// The security object that the journal noted, and a verifier's verdict.
    Noted(&'a Facts),
}

/// The inspection of one card.
pub(super) struct LineInspection<'a> {
    line: &'a Line<'a>,
    asked: Asked<'a>,
    random: &'a mut dyn CryptoRng,
}

impl<'a> LineInspection<'a> {
    pub(super) fn new(line: &'a Line<'a>, asked: Asked<'a>, random: &'a mut dyn CryptoRng) -> Self {
        Self { line, asked, random }
    }

    /// The files of the card, where a verifier who trusts this site finds it genuine.
    fn verdict(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<DocumentFiles, ReadBackError> {
        card.reset().map_err(|error| failed(&error))?;
        let mrz = image.mrz_key.as_ref().map(|key| MrzKey::from_bytes(**key));
        let keys = AccessKeys { can: image.can.clone(), mrz, ..AccessKeys::default() };
        let bac = image.bac && image.pace.is_empty();
        let policy = if bac { AccessPolicy::Bac } else { AccessPolicy::Pace };
        let plan = AccessPlan { policy, ..AccessPlan::pace(keys) };
        let options = ReadOptions { probe_unlisted: true, ..ReadOptions::default() };
        let reading = read_chip(card, &plan, &options, self.random, &mut |_, _| {});
        let reading = reading.map_err(|error: TerminalError| failed(&error))?;
        let files = DocumentFiles::of_reading(&reading);
        let inspection = verify::Inspection {
            trust: self.line.trust,
            now: (self.line.clock)(),
            expected: &Expected::default(),
            policy: self.line.policy,
        };
        let report = verify::inspect(&files, &ChipEvidence::of_reading(&reading), &inspection);
        if report.verdict() == Verdict::Genuine {
            return Ok(files);
        }
        let wanting = report.checks.iter().filter(|check| !check.has_passed());
        let found: Vec<String> =
            wanting.map(|check| format!("{} {}", check.id.as_str(), check.code)).collect();
        Err(ReadBackError::Failed { code: "inspection_not_genuine", message: found.join(", ") })
    }
}

fn failed(error: &dyn ErrorCode) -> ReadBackError {
    ReadBackError::Failed { code: error.code(), message: error.to_string() }
}

impl Inspection for LineInspection<'_> {
    fn is_same_document(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<bool, ReadBackError> {
        TerminalInspection::new(self.random).is_same_document(card, image)
    }

    fn read_back(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<ReadBack, ReadBackError> {
        match self.asked {
            Asked::Image(verdict) => {
                let read = TerminalInspection::new(self.random).read_back(card, image)?;
                if verdict {
                    self.verdict(card, image)?;
                }
                Ok(read)
            }
            Asked::Noted(facts) => {
                let files = self.verdict(card, image)?.files;
                let sod = files.get(&FileId::SOD).map(|bytes| Digest::of(bytes).to_string());
                if sod.is_none() || sod.as_deref() != facts.text(Facts::SOD_DIGEST) {
                    let message = "the security object is not the one that was written".to_owned();
                    return Err(ReadBackError::Failed { code: "read_back_differs", message });
                }
                let bytes = files.values().map(|file| file.len() as u64).sum();
                Ok(ReadBack { bytes, files: files.len(), ..ReadBack::default() })
            }
        }
    }
}
