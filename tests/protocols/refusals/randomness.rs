//! A card whose random numbers repeat.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cancuoc::document::AccessKeys;
use cancuoc::issue::{CardImage, PaceConfiguration};
use cancuoc::lds::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfoKind};
use cancuoc::softcard::{BlankOptions, RamMemory, SoftCard};
use cancuoc::terminal::{AccessPlan, FreshnessRegister, Session, TerminalError, open_card};
use cancuoc_primitives::cipher::BlockCipher;
use rand_core::{TryCryptoRng, TryRng};

use crate::cards::{personalise, random};
use crate::chips::{bac_image, bac_plan, card_access, keys};

/// The system's randomness until it is stuck.
struct Failing(Arc<AtomicBool>);

impl TryRng for Failing {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_be_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        if self.0.load(Ordering::Relaxed) {
            out.fill(0x11);
            Ok(())
        } else {
            random().try_fill_bytes(out)
        }
    }
}

impl TryCryptoRng for Failing {}

/// A card with BAC and PACE whose random numbers are all the same from now on.
fn card() -> SoftCard {
    let agreement = KeyAgreement::Ecdh;
    let (mapping, cipher) = (Mapping::Generic, BlockCipher::Aes128);
    let protocol = PaceProtocol { agreement, mapping, cipher };
    let info = SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id: Some(13) });
    let mut image = bac_image();
    image.files.push(card_access([info]));
    let pace = vec![PaceConfiguration { protocol: protocol.oid(), domain_parameter_id: 13 }];
    let AccessKeys { can, .. } = keys();
    let stuck = Arc::new(AtomicBool::new(false));
    let memory = Box::new(RamMemory::default());
    let options = BlankOptions::test([0, 0, 0, 9]);
    let card = SoftCard::provision(memory, &options, Box::new(Failing(stuck.clone()))).unwrap();
    let card = personalise(card, &CardImage { can, pace, ..image });
    stuck.store(true, Ordering::Relaxed);
    card
}

fn pace_plan(register: &FreshnessRegister) -> AccessPlan {
    let mut plan = AccessPlan::pace(keys());
    plan.keys.pin = None;
    plan.keys.puk = None;
    plan.pace.register = Some(register.clone());
    plan
}

#[test]
fn the_reader_refuses_a_nonce_of_pace_that_comes_again() {
    let (mut card, register) = (card(), FreshnessRegister::default());
    let plan = pace_plan(&register);
    open_card(&mut Session::new(&mut card), &plan, &mut random()).unwrap();
    card.power_on();
    let error = open_card(&mut Session::new(&mut card), &plan, &mut random()).unwrap_err();
    assert!(matches!(error, TerminalError::NonceRepeated { .. }), "{error}");
}

#[test]
fn the_card_gives_no_nonce_of_pace_twice() {
    let mut card = card();
    let first = pace_plan(&FreshnessRegister::default());
    open_card(&mut Session::new(&mut card), &first, &mut random()).unwrap();
    // Another reader, but no reset of the card.
    let second = pace_plan(&FreshnessRegister::default());
    let error = open_card(&mut Session::new(&mut card), &second, &mut random()).unwrap_err();
    let refused = matches!(error, TerminalError::Refused { status, .. } if status.0 == 0x6581);
    assert!(refused, "{error}");
}

#[test]
fn the_reader_refuses_a_challenge_of_bac_that_comes_again() {
    let (mut card, register) = (card(), FreshnessRegister::default());
    let mut plan = bac_plan();
    plan.pace.register = Some(register);
    open_card(&mut Session::new(&mut card), &plan, &mut random()).unwrap();
    card.power_on();
    let error = open_card(&mut Session::new(&mut card), &plan, &mut random()).unwrap_err();
    assert!(matches!(error, TerminalError::NonceRepeated { .. }), "{error}");
}

#[test]
fn the_card_gives_no_challenge_twice() {
    let mut card = card();
    let challenge = hex_literal::hex!("0084000008");
    assert_eq!(card.process(&challenge).len(), 10);
    assert_eq!(card.process(&challenge), [0x65, 0x81]);
}
