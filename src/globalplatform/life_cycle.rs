//! The life cycle of a card (GPC §5.1): which state may follow which, and which way has no way back.

use super::command::CardLifeCycle;

/// A change of the card's state that the specification allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The states to set, in their order.
    pub states: Vec<CardLifeCycle>,
    /// Whether no command leads back.
    pub irreversible: bool,
}

/// The way from one state to another; `None` where there is none. Not a step is left out: a card
/// goes to SECURED by way of INITIALIZED.
#[must_use]
pub fn way(from: CardLifeCycle, to: CardLifeCycle) -> Option<Way> {
    use CardLifeCycle::{CardLocked, Initialized, OpReady, Secured, Terminated};
    let way = |states: &[CardLifeCycle], irreversible| {
        Some(Way { states: states.to_vec(), irreversible })
    };
    match (from, to) {
        (from, to) if from == to => way(&[], false),
        (Terminated, _) => None,
        (_, Terminated) => way(&[Terminated], true),
        (OpReady, Initialized) => way(&[Initialized], true),
        (OpReady, Secured) => way(&[Initialized, Secured], true),
        (Initialized, Secured) => way(&[Secured], true),
        // A locked card can be unlocked by its issuer.
        (Secured, CardLocked) => way(&[CardLocked], false),
        (CardLocked, Secured) => way(&[Secured], false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CardLifeCycle::{CardLocked, Initialized, OpReady, Secured, Terminated};

    const ALL: [CardLifeCycle; 5] = [OpReady, Initialized, Secured, CardLocked, Terminated];

    #[test]
    fn nothing_leads_out_of_terminated_and_all_into_it_for_ever() {
        for state in ALL {
            if state != Terminated {
                assert_eq!(way(Terminated, state), None);
                assert!(way(state, Terminated).unwrap().irreversible);
            }
        }
    }

    #[test]
    fn only_locking_has_a_way_back() {
        for (from, to) in ALL.into_iter().flat_map(|from| ALL.map(|to| (from, to))) {
            let Some(found) = way(from, to) else { continue };
            assert_eq!(found.irreversible, way(to, from).is_none(), "{from:?} {to:?}");
        }
    }

    #[test]
    fn leaves_no_step_out() {
        assert_eq!(way(OpReady, Secured).unwrap().states, [Initialized, Secured]);
        assert_eq!(way(OpReady, CardLocked), None);
        assert_eq!(way(Secured, Initialized), None);
        assert_eq!(way(Secured, Secured).unwrap().states, []);
    }
}
