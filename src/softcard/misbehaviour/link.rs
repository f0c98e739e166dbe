//! What goes wrong on the way between card and reader, whatever the card's applications say.

use super::{Act, LinkFault, Misbehaviour, Rules};

/// GET RESPONSE.
const GET_RESPONSE: u8 = 0xC0;
/// What a card sends that never comes to an end: 16 bytes and the promise of 16 more.
const ENDLESS: [u8; 18] = [
    0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5,
    0x61, 0x10,
];

/// What came of sending a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::softcard) enum Reaction {
    /// A response APDU.
    Answer(Vec<u8>),
    /// None, ever.
    Silence,
    /// The card is not there any more.
    Gone,
}

/// The faults of the link.
pub(in crate::softcard) struct Link {
    faults: Rules<LinkFault>,
    endless: bool,
    gone: bool,
}

impl Link {
    pub(in crate::softcard) fn new(misbehaviour: &Misbehaviour) -> Self {
        let faults = Rules::of(misbehaviour, |act| match act {
            Act::Link(fault) => Some(*fault),
            _ => None,
        });
        Self { faults, endless: false, gone: false }
    }

    pub(in crate::softcard) fn power_on(&mut self) {
        self.faults.power_on();
        (self.endless, self.gone) = (false, false);
    }

    /// What happens to a command in place of an honest answer; `None` where nothing does.
    pub(in crate::softcard) fn react(&mut self, command: &[u8]) -> Option<Reaction> {
        if self.gone {
            return Some(Reaction::Gone);
        }
        let [_, ins, p1, p2, ..] = *command else { return None };
        if self.endless && ins == GET_RESPONSE {
            return Some(Reaction::Answer(ENDLESS.to_vec()));
        }
        self.endless = false;
        match self.faults.apply(ins, p1, p2)? {
            LinkFault::Silence => Some(Reaction::Silence),
            LinkFault::Gone => {
                self.gone = true;
                Some(Reaction::Gone)
            }
            LinkFault::EndlessResponse => {
                self.endless = true;
                Some(Reaction::Answer(ENDLESS.to_vec()))
            }
        }
    }
}
