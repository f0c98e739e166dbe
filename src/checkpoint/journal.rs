//! The journal of verdicts: a line of JSON for each card, without personal data.
//!
//! The document number stands in it as a hash with the salt of the site: the same card gives the
//! same value at one site, and without the salt nobody can try the numbers out. Here lines are
//! made; writing them is for whoever has the file.

use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::state::{Decision, Outcome, Timing};
use crate::verify::Check;
use cancuoc_primitives::hash::HashAlgorithm;

/// Schema of a line.
pub const SCHEMA: &str = "cancuoc.checkpoint.journal/1";

/// What is recorded of a card.
#[derive(Debug, Clone)]
pub struct Record {
    /// Name of the reader.
    pub reader: String,
    /// Number of the document; it goes into a line only as a hash.
    pub number: Option<Zeroizing<String>>,
    /// `genuine`, `forged`, `inconclusive` or `unread`.
    pub verdict: &'static str,
    /// Why: the checks that tell, with their codes (see [`Inspected::telling`](super::Inspected::telling)); for a card that
    /// could not be read the code of the error.
    pub reasons: Vec<Reason>,
    /// Milliseconds from when card and data were both there.
    pub took_ms: u64,
    /// Parts of that time, where the card was read.
    pub timing: Option<Timing>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Identifier of the check; none for an error.
    pub check: Option<&'static str>,
    /// Stable code.
    pub code: &'static str,
}

impl Record {
    pub(super) fn of(reader: &str, decision: &Decision) -> Self {
        let (number, reasons, timing) = match &decision.outcome {
            Outcome::Inspected(inspected) => {
                let reason =
                    |check: &Check| Reason { check: Some(check.id.as_str()), code: check.code };
                let reasons = inspected.telling().into_iter().map(reason).collect();
                (inspected.holder.number.clone(), reasons, Some(inspected.timing))
            }
            Outcome::Failed(trouble) => {
                (None, vec![Reason { check: None, code: trouble.code }], None)
            }
        };
        Self {
            reader: reader.to_owned(),
            number,
            verdict: decision.outcome.name(),
            reasons,
            took_ms: millis(decision.took),
            timing,
        }
    }

    /// The line without its end.
    #[must_use]
    pub fn line(&self, time: Timestamp, policy: &str, salt: &Salt) -> String {
        let reasons: Vec<Value> = self
            .reasons
            .iter()
            .map(|reason| json!({ "check": reason.check, "code": reason.code }))
            .collect();
        let timing = self.timing.map(|t| {
            json!({ "access": millis(t.access), "read": millis(t.read), "verify": millis(t.verify) })
        });
        json!({
            "schema": SCHEMA,
            "time": time.to_string(),
            "reader": self.reader,
            "document": self.number.as_ref().map(|number| salt.hash(number)),
            "verdict": self.verdict,
            "reasons": reasons,
            "policy": policy,
            "took_ms": self.took_ms,
            "timing_ms": timing,
        })
        .to_string()
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The secret of a site that makes its hashes its own: 32 random bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Salt([u8; Self::LENGTH]);

impl Salt {
    /// Bytes of a salt.
    pub const LENGTH: usize = 32;

    /// Takes the bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The first 16 bytes of SHA-256 over salt and number, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self, number: &str) -> String {
        let digest = HashAlgorithm::Sha256.digest_parts(&[&self.0, number.as_bytes()]);
        hex::encode(digest.get(..16).unwrap_or_default())
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(***)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::checkpoint::{Holder, Inspected, Trouble};
    use crate::verify::{CheckId, Evidence, Verdict};

    const NUMBER: &str = "001200000018";

    fn decision() -> Decision {
        let inspected = Inspected {
            verdict: Verdict::Forged,
            checks: vec![
                Check::passed(CheckId::PaSodSignature, Evidence::new("signer", "x")),
                Check::skipped(CheckId::ConsistencyMrz, "not_given"),
                Check::failed(CheckId::PaHashes, "dg_hash_mismatch", Evidence::new("dg", 13)),
            ],
            wanting: vec![],
            holder: Holder {
                number: Some(NUMBER.to_owned().into()),
                name: Some("Nguyễn Thị Mẫu".to_owned()),
                facts: vec![("birth".to_owned(), "01/01/2000".to_owned())],
            },
            portrait: None,
            timing: Timing { access: Duration::from_millis(7), ..Timing::default() },
        };
        let outcome = Outcome::Inspected(Arc::new(inspected));
        Decision { outcome, at: Duration::from_secs(9), took: Duration::from_millis(321) }
    }

    fn line(decision: &Decision) -> Value {
        let time = "2026-11-23T01:02:03Z".parse().unwrap();
        let line = Record::of("Reader A", decision).line(time, "strict", &Salt::new([7; 32]));
        assert!(!line.contains('\n'));
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn says_verdict_reasons_and_times() {
        let line = line(&decision());
        assert_eq!(line["schema"], SCHEMA);
        assert_eq!(line["verdict"], "forged");
        assert_eq!(line["time"], "2026-11-23T01:02:03Z");
        let reasons = json!([{ "check": "pa.hashes", "code": "dg_hash_mismatch" }]);
        assert_eq!(line["reasons"], reasons);
        assert_eq!((&line["took_ms"], &line["timing_ms"]["access"]), (&json!(321), &json!(7)));
    }

    #[test]
    fn holds_nothing_personal() {
        let text = line(&decision()).to_string();
        for personal in ["001200000018", "200000018", "000018", "Nguy", "NGUYEN", "2000"] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
    }

    #[test]
    fn says_why_a_card_could_not_be_read() {
        let trouble = Trouble { code: "card_removed", detail: "x".to_owned(), wrong_access: false };
        let line = line(&Decision { outcome: Outcome::Failed(trouble), ..decision() });
        assert_eq!((&line["verdict"], &line["document"]), (&json!("unread"), &Value::Null));
        assert_eq!(line["reasons"], json!([{ "check": null, "code": "card_removed" }]));
    }

    #[test]
    fn hashes_a_number_with_the_salt_of_the_site() {
        let (one, other) = (Salt::new([7; 32]), Salt::new([8; 32]));
        assert_eq!(one.hash(NUMBER), one.hash(NUMBER));
        assert_ne!(one.hash(NUMBER), other.hash(NUMBER));
        assert_eq!(one.hash(NUMBER).len(), 32);
        assert_eq!(format!("{one:?}"), "Salt(***)");
    }
}
