//! What a software card does wrong on purpose, to test readers with: kept with the card, off unless
//! whoever made the card said otherwise, and out of reach of every command.

mod link;
mod session;

use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, Write};
use serde::{Deserialize, Serialize};

pub(super) use link::{Link, Reaction};
pub(super) use session::Player;

/// Record of the misbehaviour: in the last partition of the memory, which no application has.
const RECORD: u32 = 0xFFFF_FFF0;

/// What a card does wrong; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// The rules. Of those that act on the same part of a response the first that applies does.
    pub rules: Vec<Rule>,
}

/// One thing that a card does wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// At which commands.
    pub when: When,
    /// What.
    pub act: Act,
}

/// Commands by their header, counted from power-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Instruction byte.
    pub ins: u8,
    /// First parameter; any where it is left out.
    pub p1: Option<u8>,
    /// Second parameter; any where it is left out.
    pub p2: Option<u8>,
    /// Such commands that pass before.
    pub skip: u32,
    /// How many commands it is done to; all that follow where it is left out.
    pub times: Option<u32>,
}

/// What is wrong, by the point at which it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// What the response says.
    Respond(WrongContent),
    /// How the response is protected.
    Protect(WrongProtection),
    /// The keys after a key agreement within the session. The command does not count.
    NextKeys(WrongKeys),
    /// What comes over the link.
    Link(LinkFault),
}

/// What a response says wrongly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongContent {
    /// Something else.
    Answer {
        /// Response data field.
        data: Vec<u8>,
        /// Status word.
        status: u16,
    },
    /// In dynamic authentication data `7C`, the terminal's own data object comes back as the card's.
    Echo {
        /// Tag in the command.
        from: u8,
        /// Tag in the response.
        to: u8,
    },
    /// In dynamic authentication data `7C`, the last bit of a data object is another.
    Flip {
        /// Tag.
        tag: u8,
    },
    /// So many bytes more than there are.
    LongerBy(usize),
    /// What asks for more than `most` bytes is refused.
    AtMost {
        /// Bytes.
        most: usize,
        /// Status word of the refusal.
        status: u16,
    },
    /// No more than so many bytes at a time, whatever is asked for.
    AtATime(usize),
    /// A signature of Active Authentication with RSA that is not made as ISO/IEC 9796-2 says.
    Recoverable(Box<Recoverable>),
}

/// A message with an RSA signature from which it can be recovered, made by a recipe of its own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recoverable {
    /// Modulus, big-endian.
    pub modulus: Vec<u8>,
    /// Public exponent.
    pub exponent: Vec<u8>,
    /// Private exponent.
    pub private_exponent: Vec<u8>,
    /// The primes.
    pub primes: [Vec<u8>; 2],
    /// First byte of the message; 6A by the standard.
    pub header: u8,
    /// Name of the hash function.
    pub hash: String,
    /// Last bytes of the message.
    pub trailer: Vec<u8>,
}

/// Holds a private key: not shown.
impl std::fmt::Debug for Recoverable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recoverable(***)")
    }
}

/// How a response is protected wrongly. Where a MAC is said, it is right over what is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongProtection {
    /// Not at all.
    Plain,
    /// Not at all, and the status word alone.
    PlainStatus,
    /// A wrong MAC.
    WrongMac,
    /// A MAC cut to so many bytes.
    ShortMac(usize),
    /// No MAC.
    NoMac,
    /// No status in DO'99'.
    NoStatus,
    /// Another status word outside than in DO'99'.
    StatusOutside(u16),
    /// DO'99' before DO'87', with a MAC.
    StatusFirst,
    /// DO'87' twice, with a MAC.
    CryptogramTwice,
    /// DO'87' without its padding indicator, with a MAC.
    NoIndicator,
    /// Data that ends in no padding, with a MAC.
    NoPadding,
    /// A data object after the MAC.
    AfterMac,
    /// The protected response before this once more.
    Replay,
    /// The counter stays behind, as of a response put in from elsewhere.
    CounterBehind,
}

/// Which wrong keys protect what comes after a key agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongKeys {
    /// The old ones stay.
    Former,
    /// Keys that nobody agreed on.
    Foreign,
}

/// What goes wrong on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkFault {
    /// No answer ever comes: the card asks for more time without end.
    Silence,
    /// The card leaves the reader.
    Gone,
    /// More data is promised with 61xx, without end.
    EndlessResponse,
}

impl When {
    /// All commands with the instruction.
    #[must_use]
    pub const fn ins(ins: u8) -> Self {
        Self { ins, p1: None, p2: None, skip: 0, times: None }
    }

    /// The same with this first parameter.
    #[must_use]
    pub const fn p1(mut self, p1: u8) -> Self {
        self.p1 = Some(p1);
        self
    }

    /// The same with this second parameter.
    #[must_use]
    pub const fn p2(mut self, p2: u8) -> Self {
        self.p2 = Some(p2);
        self
    }

    /// All such commands after so many.
    #[must_use]
    pub const fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// The one such command after so many.
    #[must_use]
    pub const fn once_after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self.times = Some(1);
        self
    }

    fn names(&self, ins: u8, p1: u8, p2: u8) -> bool {
        let fits = |wanted: Option<u8>, found| wanted.is_none_or(|wanted| wanted == found);
        self.ins == ins && fits(self.p1, p1) && fits(self.p2, p2)
    }
}

impl Misbehaviour {
    /// A card that does one thing wrong.
    #[must_use]
    pub fn of(when: When, act: Act) -> Self {
        Self { rules: vec![Rule { when, act }] }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.rules.is_empty()
    }

    /// The misbehaviour of the card in a memory; `None` for a record that cannot be read.
    pub(super) fn load(memory: &dyn NonVolatileMemory) -> Option<Self> {
        match memory.read(RECORD) {
            Some(record) => serde_json::from_slice(record).ok(),
            None => Some(Self::default()),
        }
    }

    /// Keeps it with the card; it takes effect when the card is opened next.
    pub(super) fn store(&self, memory: &mut dyn NonVolatileMemory) -> Result<(), MemoryError> {
        if self.is_none() {
            return memory.apply(&[Write::Delete { key: RECORD }]);
        }
        let record = serde_json::to_vec(self).map_err(|_| MemoryError::Failed)?;
        memory.apply(&[Write::Put { key: RECORD, value: &record }])
    }

    /// Names of what the card does wrong, for looking at it.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let name = |act: &Act| match serde_json::to_value(act) {
            Ok(value) => innermost_name(&value),
            Err(_) => String::new(),
        };
        self.rules.iter().map(|rule| name(&rule.act)).collect()
    }
}

/// `{"protect": {"short_mac": 7}}` is `protect short_mac`.
fn innermost_name(value: &serde_json::Value) -> String {
    let first = value.as_object().and_then(|object| object.iter().next());
    match first {
        Some((outer, serde_json::Value::String(inner))) => format!("{outer} {inner}"),
        Some((outer, inner)) => {
            let inner = inner.as_object().and_then(|object| object.keys().next());
            format!("{outer} {}", inner.map_or("", String::as_str))
        }
        None => String::new(),
    }
}

/// Rules of one point, and how many commands each has seen since power-on.
struct Rules<T> {
    rules: Vec<(When, T, u32)>,
}

impl<T: Clone> Rules<T> {
    /// Those whose act `pick` takes.
    fn of(misbehaviour: &Misbehaviour, pick: impl Fn(&Act) -> Option<T>) -> Self {
        let rules = misbehaviour.rules.iter();
        Self { rules: rules.filter_map(|r| Some((r.when, pick(&r.act)?, 0))).collect() }
    }

    fn power_on(&mut self) {
        self.rules.iter_mut().for_each(|(_, _, seen)| *seen = 0);
    }

    /// Counts the command and gives the act that applies to it.
    fn apply(&mut self, ins: u8, p1: u8, p2: u8) -> Option<T> {
        let mut found = None;
        for (when, act, seen) in &mut self.rules {
            if !when.names(ins, p1, p2) {
                continue;
            }
            let number = *seen;
            *seen = seen.saturating_add(1);
            let within = when.times.is_none_or(|times| number < when.skip.saturating_add(times));
            if number >= when.skip && within && found.is_none() {
                found = Some(act.clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
