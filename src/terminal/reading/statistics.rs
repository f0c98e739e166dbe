//! What a reading cost, and the least it could have cost.

use serde::Serialize;

use super::blocks::BlockSizes;
use crate::terminal::session::Counters;

/// Cost of reading files; access control and the chip's proofs are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ReadStatistics {
    /// Command APDUs.
    pub apdus: u64,
    /// Least number of APDUs for these files with the blocks that reader and card allow.
    pub apdus_min: u64,
    /// Bytes of commands.
    pub bytes_up: u64,
    /// Bytes of responses, status words included.
    pub bytes_down: u64,
    /// Bytes of the files read.
    pub payload: u64,
    /// Payload by all bytes on the wire; 0 when nothing was read.
    pub efficiency: f64,
    /// The same at the least number of APDUs.
    pub efficiency_bound: f64,
    /// Bytes that the card sent more than once.
    pub rereads: u64,
    /// Further APDUs, which asked for files that are absent or denied; their bytes are not counted
    /// above.
    pub probes: u64,
    /// Microseconds of waiting for the card.
    pub card_micros: u64,
    #[serde(skip)]
    bytes_min: u64,
}

impl ReadStatistics {
    /// Adds what went over the wire for a file that is absent or denied.
    pub(super) fn add_probe(&mut self, traffic: &Counters) {
        self.probes += traffic.apdus;
        self.card_micros += traffic.card_micros;
    }

    /// Adds what went over the wire for one file.
    pub(super) fn add_traffic(&mut self, traffic: &Counters) {
        self.apdus += traffic.apdus;
        self.bytes_up += traffic.sent_bytes;
        self.bytes_down += traffic.received_bytes;
        self.card_micros += traffic.card_micros;
        self.update();
    }

    /// Adds a file of that length, read completely, and the bytes that came twice.
    pub(super) fn add_file(&mut self, length: usize, best: BlockSizes, rereads: usize) {
        let (apdus, bytes) = best.cost(length);
        self.apdus_min += apdus;
        self.bytes_min += bytes;
        self.payload += length as u64;
        self.rereads += rereads as u64;
        self.update();
    }

    fn update(&mut self) {
        self.efficiency = ratio(self.payload, self.bytes_up + self.bytes_down);
        self.efficiency_bound = ratio(self.payload, self.bytes_min);
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
