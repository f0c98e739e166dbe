//! A blank software card under any sequence of commands: two bytes of length, then a command.
#![no_main]

use cancuoc::softcard::{BlankOptions, SoftCard};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut card) = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 1])) else { return };
    let mut rest = data;
    while let [high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (command, next) = tail.split_at(length);
        assert!(card.process(command).len() >= 2);
        rest = next;
    }
});
