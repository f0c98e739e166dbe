//! What a hostile card may answer: secure messaging, BAC, PACE, Chip and Active Authentication, the
//! reading of files. Input: a byte that picks the target, then answers, each with a two-byte length.
#![no_main]

mod support;

use std::collections::VecDeque;

use cancuoc::apdu::CommandApdu;
use cancuoc::document::{AccessKeys, Can, MrzKey};
use cancuoc::lds::FileId;
use cancuoc::terminal::secure_messaging::SecureMessaging;
use cancuoc::terminal::{
    AccessPlan, AccessPolicy, FileReader, ReadLimits, ReadOptions, Session, read_chip,
};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::cipher::BlockCipher;
use support::Counting;

struct Card(VecDeque<Vec<u8>>);

impl CardTransport for Card {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.0.pop_front().ok_or(TransportError::CardRemoved)
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

fn answers(mut data: &[u8]) -> VecDeque<Vec<u8>> {
    let mut out = VecDeque::new();
    while let [high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (answer, tail) = rest.split_at(length);
        out.push_back(answer.to_vec());
        data = tail;
    }
    out
}

fn plan(policy: AccessPolicy) -> AccessPlan {
    let keys = AccessKeys {
        can: Can::new("000018").ok(),
        mrz: Some(MrzKey::from_bytes([5; 20])),
        ..AccessKeys::default()
    };
    AccessPlan { policy, ..AccessPlan::pace(keys) }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let card = Card(answers(data));
    match choice % 4 {
        0 => {
            let mut session = Session::new(card);
            session.start_secure_messaging(SecureMessaging::from_secret(BlockCipher::Aes128, b"k"));
            let _ = session.transmit(&CommandApdu::new(0, 0xB0 | (choice >> 7), 0, 0));
        }
        1 => {
            let mut reader = FileReader::new(ReadLimits::default());
            let _ = reader.read(&mut Session::new(card), FileId(0x0102));
        }
        n => {
            let policy =
                if n == 2 { AccessPolicy::PaceOrBacWhenNotOffered } else { AccessPolicy::Bac };
            let options = ReadOptions::default();
            let mut random = Counting::default();
            let _ = read_chip(card, &plan(policy), &options, &mut random, &mut |_, _| {});
        }
    }
});
