//! How long personal data are kept after a card is made.

use jiff::{SignedDuration, Timestamp};

/// How long the data of a record are kept when it is finished: issued, withdrawn, or its card revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u16,
}

impl Retention {
    /// So many days; none for at once.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        Self { days }
    }

    /// Whether the data of a record that was finished then are to be erased now.
    #[must_use]
    pub fn is_over(&self, finished: Timestamp, now: Timestamp) -> bool {
        now.duration_since(finished) >= SignedDuration::from_hours(24 * i64::from(self.days))
    }

    /// The name of the rule in the audit record: `retention-90d`.
    #[must_use]
    pub fn rule(&self) -> String {
        format!("retention-{}d", self.days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_over_after_its_days_and_not_before() {
        let retention = Retention::days(90);
        let finished = Timestamp::from_second(1_800_000_000).unwrap();
        let after = |hours| finished + SignedDuration::from_hours(hours);
        assert!(!retention.is_over(finished, after(90 * 24 - 1)));
        assert!(retention.is_over(finished, after(90 * 24)));
        assert!(!retention.is_over(finished, after(-1)), "a clock that went back erases nothing");
        assert!(Retention::days(0).is_over(finished, finished));
        assert_eq!(retention.rule(), "retention-90d");
    }
}
