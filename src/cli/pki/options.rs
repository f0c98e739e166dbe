//! Options that the commands for CV certificates share.

use std::path::PathBuf;

use cancuoc_primitives::hash::HashAlgorithm;
use clap::{Args, ValueEnum};
use jiff::ToSpan;
use jiff::civil::Date;

use super::{Failure, KeyKind, key_kind};

/// The key to make and how it signs.
#[derive(Debug, Args)]
pub(super) struct KeyOptions {
    /// Key: a curve (P-256, brainpoolP384r1, …) or rsa-2048, rsa-3072, rsa-4096.
    #[arg(long, value_name = "KEY", value_parser = key_kind)]
    pub key: Option<KeyKind>,
    /// Hash function of its signatures: SHA-1 to SHA-512; default: as strong as the key.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub hash: Option<HashAlgorithm>,
    /// Sign by RSASSA-PSS, with an RSA key.
    #[arg(long)]
    pub pss: bool,
}

/// From when to when a certificate is valid.
#[derive(Debug, Args)]
pub(super) struct ValidityOptions {
    /// First day of validity, YYYY-MM-DD; default: today.
    #[arg(long, value_name = "DATE")]
    pub valid_from: Option<Date>,
    /// Last day of validity, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", conflicts_with = "days")]
    pub valid_until: Option<Date>,
    /// Days of validity.
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,
}

/// What a terminal may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Right {
    /// EF.DG3, fingerprints.
    Dg3,
    /// EF.DG4, irises.
    Dg4,
    /// Nothing but what is open to all.
    None,
}

/// The rights of a certificate.
#[derive(Debug, Args)]
pub(super) struct RightsOptions {
    /// What may be read: dg3, dg4, both with a comma between, or none; default: all that the
    /// issuer may.
    #[arg(long, value_name = "RIGHTS", value_delimiter = ',', value_enum)]
    pub rights: Vec<Right>,
}

/// The password of the keys.
#[derive(Debug, Args)]
pub(super) struct PasswordOption {
    /// Password of the keys' files; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    pub password: String,
}

/// The request to answer and where the certificate goes.
#[derive(Debug, Args)]
pub(super) struct RequestOptions {
    /// File with the certificate request.
    #[arg(value_name = "REQUEST")]
    pub request: PathBuf,
    /// File for the answer; default: beside the request, by the holder's reference.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

fn hash(name: &str) -> Result<HashAlgorithm, String> {
    HashAlgorithm::from_name(name)
        .ok_or_else(|| "SHA-1, SHA-224, SHA-256, SHA-384, SHA-512".to_owned())
}

impl ValidityOptions {
    /// First and last day; without an end, that of `days` days from the first on, but no later
    /// than the issuer's last day.
    pub fn dates(
        &self,
        today: Date,
        days: u32,
        issuer_end: Option<Date>,
    ) -> Result<(Date, Date), Failure> {
        let first = self.valid_from.unwrap_or(today);
        let after = |days: u32| {
            let days = i64::from(days).saturating_sub(1);
            first.checked_add(days.days()).map_err(|_| Failure::usage("--days"))
        };
        let last = match (self.valid_until, self.days) {
            (Some(date), _) => date,
            (None, Some(0)) => return Err(Failure::usage("--days: 1, 2, 3, …")),
            (None, Some(days)) => after(days)?,
            (None, None) => {
                let last = after(days)?;
                issuer_end.map_or(last, |end| last.min(end))
            }
        };
        Ok((first, last))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::civil::date;

    fn options() -> ValidityOptions {
        ValidityOptions { valid_from: None, valid_until: None, days: None }
    }

    #[test]
    fn a_certificate_of_one_day_ends_on_its_first_day() {
        let today = date(2026, 2, 28);
        let options = ValidityOptions { days: Some(1), ..options() };
        assert_eq!(options.dates(today, 90, None).unwrap(), (today, today));
    }

    #[test]
    fn the_usual_end_is_cut_to_the_issuers_and_an_end_asked_for_is_not() {
        let (today, end) = (date(2026, 1, 1), date(2026, 1, 10));
        assert_eq!(options().dates(today, 90, Some(end)).unwrap().1, end);
        let asked = ValidityOptions { days: Some(90), ..options() };
        assert_eq!(asked.dates(today, 30, Some(end)).unwrap().1, date(2026, 3, 31));
    }
}
