//! Reads and judges the card of one job: the same procedure as `verify`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::RgbImage;
use image::imageops::FilterType;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::evidence::EvidenceFolder;
use super::readers::LaneNames;
use crate::biometrics;
use crate::checkpoint::{Given, Holder, Inspected, Job, Outcome, Timing, Trouble};
use crate::cli::reader::CARD_PREFIX;
use crate::cli::text::plain;
use crate::cli::{Failure, read, verify};
use crate::document::CardProfile;
use crate::error::ErrorCode;
use crate::lds::FileId;
use crate::softcard::air::{AirLink, BitRate};
use crate::softcard::{Pacing, SoftCard};
use crate::terminal::terminal_authentication::TerminalCredentials;
use crate::terminal::{
    AccessPlan, AccessPolicy, ChipReading, FreshnessRegister, ReadOptions, TerminalError, read_chip,
};
use crate::transport::pcsc::PcscCard;
use crate::transport::time_limit::{TimeLimited, TimeLimits};
use crate::transport::{CardTransport, TransportError};
use crate::trust::TrustStore;
use crate::verify::evidence::InspectionRecord;
use crate::verify::{ChipEvidence, DocumentFiles, Inspection, Policy, inspect};

/// Sides of a portrait that is shown, in pixels: as large as a screen needs it.
const PORTRAIT: (u32, u32) = (480, 640);
/// How often a card that another program holds is asked for again, and how long between.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(200);
/// Fields of the national data that are shown beside name and number: what a person at the
/// checkpoint compares, and no more.
const SHOWN_FIELDS: [&str; 5] = ["birth_date", "sex", "nationality", "issue_date", "expiry_date"];

/// What is loaded once for all cards.
pub(in crate::cli) struct Loaded {
    /// Anchors and revocation lists.
    pub trust: TrustStore,
    /// What is accepted.
    pub policy: Policy,
    /// Certificates and key of the terminal.
    pub terminal: Option<TerminalCredentials>,
    /// BAC may be used where a card offers no PACE.
    pub allow_bac: bool,
    /// How long a card is waited for.
    pub limits: TimeLimits,
    /// Bit rate of the contactless link that software cards are given.
    pub link: Option<BitRate>,
    /// Where evidence files are kept.
    pub evidence: Option<EvidenceFolder>,
}

/// What every inspection of a checkpoint shares.
pub(in crate::cli) struct Inspector {
    trust: TrustStore,
    policy: Policy,
    plan: AccessPlan,
    options: ReadOptions,
    limits: TimeLimits,
    link: Option<BitRate>,
    evidence: Option<EvidenceFolder>,
    names: LaneNames,
}

impl Inspector {
    /// Takes what was loaded once.
    ///
    /// # Errors
    /// A [`Failure`] where the policy forbids BAC that was allowed.
    pub(super) fn new(loaded: Loaded, names: LaneNames) -> Result<Self, Failure> {
        let Loaded { trust, policy, terminal, allow_bac, limits, link, evidence } = loaded;
        let mut plan = AccessPlan::pace(Default::default());
        if allow_bac {
            plan.policy = AccessPolicy::PaceOrBacWhenNotOffered;
        }
        verify::restrict(&mut plan, &policy)?;
        // One register for all cards: what a card repeats from an hour ago is noticed.
        plan.pace.register = Some(FreshnessRegister::default());
        let options = ReadOptions {
            probe_unlisted: true,
            terminal,
            chip_authentication_preference: Some(verify::preference(&policy)),
            ..ReadOptions::default()
        };
        Ok(Self { trust, policy, plan, options, limits, link, evidence, names })
    }

    /// Name of the policy.
    pub(super) fn policy_name(&self) -> &str {
        &self.policy.name
    }

    /// Reads and judges the card.
    ///
    /// # Errors
    /// A [`Failure`] that ends the checkpoint: the evidence cannot be kept.
    pub(super) fn inspect(
        &self,
        job: &Job,
        progress: &mut dyn FnMut(FileId, u64),
    ) -> Result<Outcome, Failure> {
        Ok(match self.read(job, progress) {
            Ok(reading) => Outcome::Inspected(Arc::new(self.judge(&reading, &job.given)?)),
            Err(trouble) => Outcome::Failed(trouble),
        })
    }

    fn read(
        &self,
        job: &Job,
        progress: &mut dyn FnMut(FileId, u64),
    ) -> Result<ChipReading, Trouble> {
        let keys = job.given.keys(CardProfile::can_cuoc_2021()).map_err(|e| trouble(&e))?;
        let prefer_mrz = matches!(job.given, Given::Mrz(_));
        let plan = AccessPlan { keys, prefer_mrz, ..self.plan.clone() };
        let card = self.connect(&job.reader)?;
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        read_chip(card, &plan, &self.options, &mut random, progress).map_err(|e| refused(&e))
    }

    fn connect(&self, lane: &str) -> Result<TimeLimited, Trouble> {
        let card: Box<dyn CardTransport + Send> = match lane.strip_prefix(CARD_PREFIX) {
            Some(path) => Box::new(self.soft_card(Path::new(path))?),
            None => Box::new(self.connect_to_reader(&self.names.reader(lane))?),
        };
        Ok(TimeLimited::new(card, self.limits))
    }

    fn soft_card(&self, path: &Path) -> Result<SoftCard, Trouble> {
        let card = SoftCard::open(path).map_err(|e| trouble(&e))?;
        Ok(match self.link {
            Some(rate) => card.with_air_link(AirLink::new(rate), Pacing::Slept),
            None => card,
        })
    }

    fn connect_to_reader(&self, reader: &str) -> Result<PcscCard, Trouble> {
        for _ in 1..BUSY_TRIES {
            match PcscCard::connect(Some(reader)) {
                // Programs that look at every card for a moment are common.
                Err(TransportError::Busy { .. }) => std::thread::sleep(BUSY_PAUSE),
                other => return other.map_err(|e| trouble(&e)),
            }
        }
        PcscCard::connect(Some(reader)).map_err(|e| trouble(&e))
    }

    fn judge(&self, reading: &ChipReading, given: &Given) -> Result<Inspected, Failure> {
        let start = Instant::now();
        let expected = given.expected();
        let inspection = Inspection {
            trust: &self.trust,
            now: Timestamp::now(),
            expected: &expected,
            policy: &self.policy,
        };
        let files = DocumentFiles::of_reading(reading);
        let chip = ChipEvidence::of_reading(reading);
        let report = inspect(&files, &chip, &inspection);
        let verify = start.elapsed();
        let (verdict, holder) = (report.verdict(), holder(reading));
        if let Some(evidence) = &self.evidence {
            let mut record = InspectionRecord::new(&files, &chip, &inspection, &report);
            record.session = Some(verify::session_facts(reading));
            evidence.keep(record, holder.number.as_deref().map(String::as_str))?;
        }
        Ok(Inspected {
            verdict,
            wanting: report.wanting().concat(),
            checks: report.checks,
            holder,
            portrait: portrait(reading),
            timing: Timing {
                access: Duration::from_micros(reading.access_micros),
                read: Duration::from_micros(reading.read_micros),
                verify,
            },
        })
    }
}

fn trouble(error: &dyn ErrorCode) -> Trouble {
    Trouble { code: error.code(), detail: error.to_string(), wrong_access: false }
}

fn refused(error: &TerminalError) -> Trouble {
    let wrong_access = matches!(
        error,
        TerminalError::WrongPassword { .. } | TerminalError::PasswordMissing { .. }
    );
    Trouble { wrong_access, ..trouble(error) }
}

/// Who the card says its holder is: from the national data, or else from the MRZ.
fn holder(reading: &ChipReading) -> Holder {
    let mrz = read::mrz(reading);
    let dg13 = read::dg13(reading);
    let view = dg13.as_ref().map(|dg13| dg13.view(&CardProfile::can_cuoc_2021().dg13));
    let text = |field: &str| view.as_ref().and_then(|v| v.text(field)).map(shown);
    let from_mrz = || {
        let names = mrz.as_ref()?.names();
        Some(format!("{} {}", names.primary, names.secondary).trim().to_owned())
    };
    let number = mrz.as_ref().map(|mrz| match mrz.personal_number() {
        Some(number) => Zeroizing::new(number.as_str().to_owned()),
        None => Zeroizing::new(mrz.document_number().as_str().to_owned()),
    });
    let facts = SHOWN_FIELDS.iter().filter_map(|f| Some(((*f).to_owned(), text(f)?))).collect();
    Holder { number, name: text("full_name").or_else(from_mrz), facts }
}

/// Longest text of a card that is shown.
const MAX_SHOWN: usize = 200;

fn shown(text: &str) -> String {
    plain(text).chars().take(MAX_SHOWN).collect()
}

/// The first portrait, made small.
fn portrait(reading: &ChipReading) -> Option<RgbImage> {
    let bytes = read::portraits(reading).into_iter().next()?;
    let picture = biometrics::decode(&bytes).ok()?;
    let (width, height) = picture.dimensions();
    if width <= PORTRAIT.0 && height <= PORTRAIT.1 {
        return Some(picture);
    }
    let scale = f64::from(PORTRAIT.0) / f64::from(width);
    let scale = scale.min(f64::from(PORTRAIT.1) / f64::from(height));
    let side = |length: u32| ((f64::from(length) * scale) as u32).max(1);
    Some(image::imageops::resize(&picture, side(width), side(height), FilterType::Triangle))
}
