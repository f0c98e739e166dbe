//! A model of the contactless link: how long what goes to and fro takes on the air (ISO/IEC 14443-3
//! type A, ISO/IEC 14443-4).
//!
//! It counts frames, bits and delays between frames, and looks at no clock. What card and reader
//! compute comes on top by itself; waiting time extensions, repeated frames and anticollision
//! between several cards are left out.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};
use std::time::Duration;

/// Frequency of the carrier, fc, in hertz.
const CARRIER: u64 = 13_560_000;
/// Periods of the carrier in which one bit is sent at 106 kbit/s: one etu is 128/fc there.
const PERIODS_PER_BIT: u64 = 128;
/// Periods between two frames, either way: the least frame delay time, 1172/fc (ISO/IEC 14443-3).
const FRAME_DELAY: u64 = 1_172;
/// Periods until a card answers once it is in the field: 5 ms.
const POWER_UP: u64 = CARRIER / 200;
/// Bits of a byte: eight and parity.
const BITS_PER_BYTE: u64 = 9;
/// Start and end of a frame, in bits.
const START_AND_END: u64 = 2;
/// Bits of REQA, a short frame.
const REQA: u64 = 7;
/// PCB and CRC: what a block has besides its information field; there is no CID and no NAD.
const PROLOGUE_AND_EPILOGUE: usize = 3;

/// A time on the air, in periods of the carrier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AirTime(u64);

impl AirTime {
    /// Periods of the carrier, 1/13.56 MHz each.
    #[must_use]
    pub const fn carrier_periods(self) -> u64 {
        self.0
    }

    /// The same by the clock, cut to whole nanoseconds.
    #[must_use]
    pub const fn duration(self) -> Duration {
        let seconds = self.0 / CARRIER;
        // Less than CARRIER periods are left: no overflow.
        Duration::new(seconds, ((self.0 % CARRIER) * 1_000_000_000 / CARRIER) as u32)
    }
}

impl Add for AirTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for AirTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<u64> for AirTime {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Sum for AirTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::default(), Add::add)
    }
}

/// Bit rate, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BitRate {
    /// 106 kbit/s: fc/128, which every card has.
    Kbit106,
    /// 212 kbit/s.
    Kbit212,
    /// 424 kbit/s.
    Kbit424,
    /// 848 kbit/s.
    Kbit848,
}

impl BitRate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kbit106, Self::Kbit212, Self::Kbit424, Self::Kbit848];

    /// In kbit/s, as it is called.
    #[must_use]
    pub const fn kbit(self) -> u32 {
        match self {
            Self::Kbit106 => 106,
            Self::Kbit212 => 212,
            Self::Kbit424 => 424,
            Self::Kbit848 => 848,
        }
    }

    /// The rate of a number of kbit/s.
    #[must_use]
    pub fn from_kbit(kbit: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.kbit() == kbit)
    }

    const fn periods_per_bit(self) -> u64 {
        PERIODS_PER_BIT
            / match self {
                Self::Kbit106 => 1,
                Self::Kbit212 => 2,
                Self::Kbit424 => 4,
                Self::Kbit848 => 8,
            }
    }
}

/// A contactless link between a reader and a card of type A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AirLink {
    rate: BitRate,
    card_frame: usize,
    reader_frame: usize,
}

impl AirLink {
    /// A link whose frames have up to 256 bytes both ways, as usual readers and cards have them.
    #[must_use]
    pub const fn new(rate: BitRate) -> Self {
        Self { rate, card_frame: 256, reader_frame: 256 }
    }

    /// The same with other frame sizes: FSC, the longest frame that the card takes, and FSD, the
    /// longest that the reader takes, in bytes; 16 to 4096.
    #[must_use]
    pub fn with_frame_sizes(self, card: usize, reader: usize) -> Self {
        let within = |size: usize| size.clamp(16, 4_096);
        Self { card_frame: within(card), reader_frame: within(reader), ..self }
    }

    /// The bit rate.
    #[must_use]
    pub const fn rate(&self) -> BitRate {
        self.rate
    }

    /// A frame of that many bytes, and the delay after it.
    const fn frame(rate: BitRate, bytes: usize) -> AirTime {
        let bits = bytes as u64 * BITS_PER_BYTE + START_AND_END;
        AirTime(bits * rate.periods_per_bit() + FRAME_DELAY)
    }

    /// From the moment the card comes into the field until it takes its first command APDU: power up,
    /// REQA, anticollision and SELECT of a single size UID, RATS and ATS with that many historical bytes
    /// at 106 kbit/s; PPS where another rate is to be chosen. The card asks for no start-up frame guard
    /// time (SFGI 0).
    #[must_use]
    pub fn activation(&self, historical_bytes: usize) -> AirTime {
        let slow = |bytes| Self::frame(BitRate::Kbit106, bytes);
        let reqa = (REQA + START_AND_END) * BitRate::Kbit106.periods_per_bit() + FRAME_DELAY;
        // ATQA; SEL and NVB, UID and BCC; SELECT, SAK; RATS, ATS: each with the bytes of its frame.
        let ats = 5 + historical_bytes + 2;
        let answered: AirTime = [2, 2, 5, 9, 3, 4, ats].into_iter().map(slow).sum();
        let chosen = match self.rate {
            BitRate::Kbit106 => AirTime::default(),
            _ => slow(5) + slow(3),
        };
        AirTime(POWER_UP + reqa) + answered + chosen
    }

    /// One command APDU and its response APDU, in bytes: blocks chained where they are longer than a
    /// frame, each but the last acknowledged by the other side (ISO/IEC 14443-4 §7.5).
    #[must_use]
    pub fn exchange(&self, command: usize, response: usize) -> AirTime {
        self.blocks(command, self.card_frame) + self.blocks(response, self.reader_frame)
    }

    fn blocks(&self, length: usize, frame: usize) -> AirTime {
        let information = frame - PROLOGUE_AND_EPILOGUE;
        let (full, rest) = match length {
            0 => (0, 0),
            _ => ((length - 1) / information, (length - 1) % information + 1),
        };
        // A chained block and its acknowledgement, which has no information field.
        let chained = Self::frame(self.rate, frame) + Self::frame(self.rate, PROLOGUE_AND_EPILOGUE);
        chained * full as u64 + Self::frame(self.rate, rest + PROLOGUE_AND_EPILOGUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Periods of a frame of that many bytes and its delay at 106 kbit/s.
    fn slow_frame(bytes: u64) -> u64 {
        (bytes * 9 + 2) * 128 + 1_172
    }

    #[test]
    fn counts_the_bits_of_a_command_and_its_response() {
        // READ BINARY under secure messaging: 19 bytes there, 244 back.
        let time = AirLink::new(BitRate::Kbit106).exchange(19, 244);
        assert_eq!(time.carrier_periods(), slow_frame(22) + slow_frame(247));
    }

    #[test]
    fn sends_bits_faster_and_waits_as_long_at_a_higher_rate() {
        let time = AirLink::new(BitRate::Kbit848).exchange(19, 244);
        assert_eq!(time.carrier_periods(), ((22 + 247) * 9 + 4) * 16 + 2 * 1_172);
    }

    #[test]
    fn acknowledges_each_chained_block() {
        let link = AirLink::new(BitRate::Kbit106);
        // 253 bytes of information fit into a frame of 256.
        assert_eq!(link.exchange(253, 2).carrier_periods(), slow_frame(256) + slow_frame(5));
        let chained = slow_frame(256) + slow_frame(3) + slow_frame(4) + slow_frame(5);
        assert_eq!(link.exchange(254, 2).carrier_periods(), chained);
        let both = chained + 2 * (slow_frame(256) + slow_frame(3)) + slow_frame(50) - slow_frame(5);
        assert_eq!(link.exchange(254, 2 * 253 + 47).carrier_periods(), both);
    }

    #[test]
    fn needs_fewer_blocks_where_frames_are_longer() {
        let link = AirLink::new(BitRate::Kbit106).with_frame_sizes(256, 4_096);
        assert_eq!(link.exchange(19, 4_093).carrier_periods(), slow_frame(22) + slow_frame(4_096));
    }

    #[test]
    fn chooses_a_rate_only_where_there_is_another() {
        let [slow, fast] = [BitRate::Kbit106, BitRate::Kbit424]
            .map(|rate| AirLink::new(rate).activation(5).carrier_periods());
        assert_eq!(fast - slow, slow_frame(5) + slow_frame(3));
        let frames: u64 = [2, 2, 5, 9, 3, 4, 12].into_iter().map(slow_frame).sum();
        assert_eq!(slow, 67_800 + (9 * 128 + 1_172) + frames);
    }

    #[test]
    fn tells_the_time_by_the_clock() {
        assert_eq!(AirTime(CARRIER * 3 / 2).duration(), Duration::from_millis(1_500));
        assert_eq!(AirTime(1).duration(), Duration::from_nanos(73));
        assert_eq!(AirTime(u64::MAX).duration().as_secs(), u64::MAX / CARRIER);
    }

    #[test]
    fn knows_its_rates_by_their_numbers() {
        for rate in BitRate::ALL {
            assert_eq!(BitRate::from_kbit(rate.kbit()), Some(rate));
        }
        assert_eq!(BitRate::from_kbit(107), None);
    }

    proptest! {
        #[test]
        fn more_bytes_never_take_less_time(
            command in 0usize..70_000, response in 0usize..70_000, frame in 16usize..4_097,
        ) {
            let link = AirLink::new(BitRate::Kbit424).with_frame_sizes(frame, frame);
            let time = link.exchange(command, response);
            prop_assert!(time < link.exchange(command + 1, response));
            prop_assert!(time < link.exchange(command, response + 1));
        }
    }
}
