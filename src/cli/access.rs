//! The ACCESS options: what is known of the card becomes the keys that open it.

use clap::Args;

use super::{Context, ExitStatus, Failure, secret};
use crate::document::{
    AccessKeys, Can, CardProfile, Mrz, MrzDate, PersonalNumber, Pin, Puk, QrText,
};
use crate::error::ErrorCode;
use crate::terminal::{AccessPlan, AccessPolicy};

/// What is printed on the card: one of MRZ, CAN, number or QR text.
#[derive(Debug, Clone, Args)]
#[group(id = "access", multiple = false)]
pub(super) struct AccessSource {
    /// The MRZ lines; - asks or reads standard input, env:NAME, file:PATH.
    #[arg(long, value_name = "LINES")]
    mrz: Option<String>,
    /// The card access number, 6 digits; - asks or reads standard input, env:NAME, file:PATH.
    #[arg(long, value_name = "N")]
    can: Option<String>,
    /// The 12-digit number, from which the CAN comes; -, env:NAME, file:PATH as for --can.
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// The text of the QR code; -, env:NAME, file:PATH as for --can.
    #[arg(long, value_name = "TEXT")]
    qr: Option<String>,
}

/// The ACCESS options.
#[derive(Debug, Clone, Args)]
pub(super) struct AccessOptions {
    #[command(flatten)]
    source: AccessSource,
    /// The holder's PIN, whose tries the card counts; -, env:NAME, file:PATH as for --can. With
    /// --can (or --number, --qr) the last try may be used too.
    #[arg(long, value_name = "N")]
    pin: Option<String>,
    /// The PUK; -, env:NAME, file:PATH as for --can. With --pin it unblocks a blocked PIN.
    #[arg(long, value_name = "N")]
    puk: Option<String>,
    /// Date of birth YYMMDD, where BAC must be possible with --number.
    #[arg(long, value_name = "YYMMDD")]
    birth: Option<String>,
    /// Date of expiry YYMMDD, where BAC must be possible with --number or --qr.
    #[arg(long, value_name = "YYMMDD")]
    expiry: Option<String>,
    /// Allow BAC where the card offers no PACE; never where PACE fails.
    #[arg(long)]
    allow_bac: bool,
}

/// Keys of the card, and what was given of its surface, to be compared with the chip.
pub(super) struct Access {
    /// How to open the card.
    pub plan: AccessPlan,
    /// The MRZ as given.
    pub mrz: Option<Mrz>,
    /// The 12-digit number as given.
    pub number: Option<PersonalNumber>,
    /// The QR text as given.
    pub qr: Option<QrText>,
}

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

impl AccessOptions {
    /// Whether anything was given that opens a card.
    pub(super) const fn is_given(&self) -> bool {
        let s = &self.source;
        let printed = s.mrz.is_some() || s.can.is_some() || s.number.is_some() || s.qr.is_some();
        printed || self.pin.is_some() || self.puk.is_some()
    }

    /// Reads the secrets and derives the keys.
    ///
    /// # Errors
    /// A [`Failure`] that says what is wrong with what was given.
    pub(super) fn resolve(&self, context: &Context) -> Result<Access, Failure> {
        let profile = CardProfile::can_cuoc_2021();
        let (mut mrz, mut given_number, mut qr) = (None, None, None);
        let source = &self.source;
        let read = |option: &str, value: &str| secret::read(context, option, value);
        let mut keys = if let Some(value) = &source.can {
            AccessKeys::from_can(Can::new(&read("--can", value)?).map_err(|e| bad(&e))?)
        } else if let Some(value) = &source.mrz {
            let parsed = Mrz::parse_text(&read("--mrz", value)?).map_err(|e| bad(&e))?;
            let parsed = parsed.require_faultless().map_err(|e| bad(&e))?;
            let keys = AccessKeys::from_mrz(&parsed, profile).map_err(|e| bad(&e))?;
            mrz = Some(parsed);
            keys
        } else if let Some(value) = &source.number {
            let number = PersonalNumber::new(&read("--number", value)?).map_err(|e| bad(&e))?;
            let (birth, expiry) = (date("--birth", &self.birth)?, date("--expiry", &self.expiry)?);
            let keys = AccessKeys::from_number(&number, birth.as_ref(), expiry.as_ref(), profile);
            given_number = Some(number);
            keys.map_err(|e| bad(&e))?
        } else if let Some(value) = &source.qr {
            let parsed = QrText::parse(&read("--qr", value)?).map_err(|e| bad(&e))?;
            let expiry = date("--expiry", &self.expiry)?;
            let keys = AccessKeys::from_qr(&parsed, expiry.as_ref(), profile);
            qr = Some(parsed);
            keys.map_err(|e| bad(&e))?
        } else if self.is_given() {
            AccessKeys::default()
        } else {
            return Err(Failure::usage("one of --mrz, --can, --number, --qr, --pin, --puk"));
        };
        if let Some(value) = &self.pin {
            keys.pin = Some(Pin::new(&read("--pin", value)?).map_err(|e| bad(&e))?);
        }
        if let Some(value) = &self.puk {
            keys.puk = Some(Puk::new(&read("--puk", value)?).map_err(|e| bad(&e))?);
        }
        let policy =
            if self.allow_bac { AccessPolicy::PaceOrBacWhenNotOffered } else { AccessPolicy::Pace };
        Ok(Access {
            plan: AccessPlan { policy, prefer_mrz: mrz.is_some(), ..AccessPlan::pace(keys) },
            mrz,
            number: given_number,
            qr,
        })
    }
}

fn date(option: &str, value: &Option<String>) -> Result<Option<MrzDate>, Failure> {
    let Some(value) = value else { return Ok(None) };
    match MrzDate::new(value.as_bytes()) {
        Some(date) => Ok(Some(date)),
        None => Err(Failure::usage(format!("{option}: YYMMDD"))),
    }
}
