//! Counts what a software card's link costs, and makes the card as slow as its link.

use std::time::{Duration, Instant};

use super::ATR;
use super::air::{AirLink, AirTime};
use crate::transport::AirMeter;

/// Low nibble of T0: the number of historical bytes (ISO/IEC 7816-3 §8.2.3).
const HISTORICAL_BYTES: usize = (ATR[1] & 0x0F) as usize;

/// What is done about the time that a link takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// It is counted and nothing waits.
    Counted,
    /// Each answer comes as late as it would over the link, besides what the card computes.
    Slept,
}

/// A link and how much time has passed on it.
pub(super) struct PacedLink {
    link: AirLink,
    pacing: Pacing,
    total: AirTime,
    meter: AirMeter,
    /// Slept too little so far: no sleep ends on the dot.
    owed: Duration,
}

impl PacedLink {
    pub(super) fn new(link: AirLink, pacing: Pacing) -> Self {
        let (total, meter) = (AirTime::default(), AirMeter::default());
        Self { link, pacing, total, meter, owed: Duration::ZERO }
    }

    pub(super) const fn meter(&self) -> &AirMeter {
        &self.meter
    }

    /// The card came into the field, or was reset.
    pub(super) fn activated(&mut self) {
        self.pass(self.link.activation(HISTORICAL_BYTES));
    }

    /// A command APDU and its response APDU went over the link.
    pub(super) fn exchanged(&mut self, command: usize, response: usize) {
        self.pass(self.link.exchange(command, response));
    }

    fn pass(&mut self, time: AirTime) {
        self.total += time;
        self.meter.set(self.total.duration());
        if self.pacing == Pacing::Slept {
            self.owed += time.duration();
            let start = Instant::now();
            std::thread::sleep(self.owed);
            self.owed = self.owed.saturating_sub(start.elapsed());
        }
    }
}
