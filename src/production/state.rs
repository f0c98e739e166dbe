//! What becomes of a card, a record, a chip of the stock and a run: states and legal transitions.
//!
//! Pure: nothing here knows of databases or time.

/// An enum whose values have a stable name, as it stands in databases and JSON.
macro_rules! named_states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable name, in `snake_case`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The state with that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.as_str() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named_states! {
    /// How far a card has come. Each state is left for the next one only, or for one of the two
    /// side exits.
    CardState {
        /// Chip and record belong together; nothing was sent to the card yet.
        Reserved = "reserved",
        /// The keys of the card are on it.
        Keyed = "keyed",
        /// All files and keys of the document are on it.
        Written = "written",
        /// Every byte was read back through the inspection path and is as intended.
        ReadBack = "read_back",
        /// Quality control passed.
        SignedOff = "signed_off",
        /// Personalisation is closed on the chip.
        Locked = "locked",
        /// Issued, and the record of it complete. Final.
        Recorded = "recorded",
        /// Destroyed, or given back untouched. Final.
        Void = "void",
        /// Set aside until somebody decides.
        Quarantine = "quarantine",
    }
}

impl CardState {
    /// The state that follows when all goes well.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Reserved => Some(Self::Keyed),
            Self::Keyed => Some(Self::Written),
            Self::Written => Some(Self::ReadBack),
            Self::ReadBack => Some(Self::SignedOff),
            Self::SignedOff => Some(Self::Locked),
            Self::Locked => Some(Self::Recorded),
            Self::Recorded | Self::Void | Self::Quarantine => None,
        }
    }

    /// Whether coming to this state changes the chip, so that it must be announced in the journal
    /// before the first command of it is sent.
    #[must_use]
    pub fn changes_chip(self) -> bool {
        matches!(self, Self::Keyed | Self::Written | Self::Locked)
    }

    /// Whether nothing more happens to a card in this state.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Recorded | Self::Void)
    }

    /// Whether a station works on a card in this state.
    #[must_use]
    pub fn is_in_work(self) -> bool {
        self.next().is_some()
    }

    /// Whether the step is legal. A card comes out of [`Quarantine`](Self::Quarantine) to the state
    /// that it was held in, which the journal knows, or is destroyed.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        match (self, to) {
            (Self::Quarantine, to) => to.is_in_work() || to == Self::Void,
            (from, Self::Void | Self::Quarantine) => from.is_in_work(),
            (from, to) => from.next() == Some(to),
        }
    }
}

named_states! {
    /// What becomes of a record.
    RecordState {
        /// Waits for a station.
        Queued = "queued",
        /// A station works on it.
        Leased = "leased",
        /// Its card is issued.
        Issued = "issued",
        /// Set aside until somebody decides.
        Quarantined = "quarantined",
        /// Withdrawn before a card was issued.
        Void = "void",
        /// Its card was issued, and is lost or revoked since.
        Revoked = "revoked",
    }
}

impl RecordState {
    /// Whether a record in this state stands in the way of another one with the same number.
    #[must_use]
    pub fn is_living(self) -> bool {
        !matches!(self, Self::Void | Self::Revoked)
    }
}

named_states! {
    /// What becomes of a chip of the stock.
    StockState {
        /// Never used.
        Blank = "blank",
        /// Reserved for a record.
        InWork = "in_work",
        /// On an issued card.
        Issued = "issued",
        /// Destroyed.
        Destroyed = "destroyed",
        /// Lost or stolen: must never be used.
        Lost = "lost",
    }
}

named_states! {
    /// What becomes of a run.
    RunState {
        /// Stations may take its records.
        Open = "open",
        /// Stations finish what they hold and take nothing new.
        Stopped = "stopped",
        /// Finished; nothing changes any more.
        Closed = "closed",
    }
}

named_states! {
    /// What a journal is for; keys, anchors and stations of the two never mix.
    Environment {
        /// Cards nobody carries.
        Test = "test",
        /// Cards of citizens.
        Production = "production",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_goes_one_way_through_all_states() {
        let way: Vec<_> =
            std::iter::successors(Some(CardState::Reserved), |state| state.next()).collect();
        assert_eq!(way, &CardState::ALL[..7]);
    }

    #[test]
    fn nothing_leaves_a_final_state() {
        for from in CardState::ALL.iter().filter(|state| state.is_final()) {
            for to in CardState::ALL {
                assert!(!from.may_become(*to), "{from} to {to}");
            }
        }
    }

    #[test]
    fn every_state_in_work_has_both_side_exits_and_one_way_on() {
        for from in CardState::ALL.iter().filter(|state| state.is_in_work()) {
            let to: Vec<_> = CardState::ALL.iter().filter(|to| from.may_become(**to)).collect();
            assert_eq!(to.len(), 3, "{from}: {to:?}");
            assert!(from.may_become(CardState::Void) && from.may_become(CardState::Quarantine));
        }
    }

    #[test]
    fn no_card_is_issued_out_of_quarantine() {
        assert!(!CardState::Quarantine.may_become(CardState::Recorded));
        assert!(!CardState::Quarantine.may_become(CardState::Quarantine));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for state in CardState::ALL {
            assert_eq!(CardState::from_name(state.as_str()), Some(*state));
        }
        assert_eq!(CardState::from_name("Recorded"), None);
    }
}
