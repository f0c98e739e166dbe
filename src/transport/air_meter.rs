//! How much time a card has spent on a modelled link.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time on the air so far, as a model of the link has it: the same for the same bytes, whatever the
/// clock says. Clones share it, so that it can be read while the card is elsewhere.
#[derive(Debug, Clone, Default)]
pub struct AirMeter(Arc<AtomicU64>);

impl AirMeter {
    /// Time so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Tells the time so far.
    pub fn set(&self, elapsed: Duration) {
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }
}
