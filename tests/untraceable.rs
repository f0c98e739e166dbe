//! N38: a message that was overheard from one card's BAC tells nothing about which card it is played
//! to: the card that it came from answers as any other does (Chothia and Smirnov, 2010).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/cards.rs"]
mod cards;

use cancuoc::softcard::SoftCard;
use cancuoc::terminal::{AccessPlan, AccessPolicy, Session, commands, open_card};
use cancuoc::transport::{CardTransport, TransportError};

use cards::{Wanted, image, keys, personalised, random};

const EXTERNAL_AUTHENTICATE: u8 = 0x82;

/// Hears what is sent to a card.
struct Overheard<'a>(&'a mut SoftCard, Vec<Vec<u8>>);

impl CardTransport for Overheard<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.1.push(command.to_vec());
        self.0.transmit(command)
    }
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }
}

/// The card's answer to a message, after a challenge that it does not fit.
fn answer(card: &mut SoftCard, message: &[u8]) -> Vec<u8> {
    card.power_on();
    let select = commands::select_lds1().encode().unwrap();
    assert_eq!(card.process(&select), [0x90, 0x00]);
    assert_eq!(card.process(&[0x00, 0x84, 0x00, 0x00, 0x08]).len(), 10);
    card.process(message)
}

#[test]
fn a_replayed_message_is_answered_by_its_own_card_as_by_any_other() {
    let own = image(&Wanted { portrait: 300, ..Wanted::default() });
    let mut other = own.clone();
    other.mrz_key = Some(zeroize::Zeroizing::new([0x77; 20]));
    let (mut own, mut other) = (personalised(&own), personalised(&other));

    let mut heard = Overheard(&mut own, Vec::new());
    let plan = AccessPlan { policy: AccessPolicy::Bac, ..AccessPlan::pace(keys()) };
    open_card(&mut Session::new(&mut heard), &plan, &mut random()).unwrap();
    let message = heard.1.into_iter().find(|command| command[1] == EXTERNAL_AUTHENTICATE).unwrap();

    assert_eq!(answer(&mut own, &message), [0x63, 0x00]);
    assert_eq!(answer(&mut other, &message), [0x63, 0x00]);
}
