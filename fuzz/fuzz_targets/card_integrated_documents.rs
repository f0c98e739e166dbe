//! The application for integrated documents under any sequence of groupings and commands: one byte that
//! says which, one of length, then the bytes. A counter never goes back.
#![no_main]

mod support;

use cancuoc::softcard::RamMemory;
use cancuoc_applet_integrated_documents::{IntegratedDocuments, objects};
use cancuoc_card_runtime::{Application, Command, Environment, NonVolatileMemory};
use support::Counting;

fn counters(memory: &dyn NonVolatileMemory) -> Vec<(u8, u32)> {
    objects(memory).iter().map(|(kind, object)| (kind.number(), object.counter)).collect()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut application = IntegratedDocuments::default();
    let mut memory = RamMemory::default();
    let mut random = Counting::default();
    let mut rest = data;
    while let [which, length, tail @ ..] = rest {
        let (bytes, next) = tail.split_at(usize::from(*length).min(tail.len()));
        let before = counters(&memory);
        let mut environment = Environment { memory: &mut memory, random: &mut random };
        if which & 0x80 != 0 {
            if let Ok(command) = Command::parse(bytes) {
                application.process_in_session(&mut environment, &command, 256);
            }
        } else {
            let _ = application.personalize(&mut environment, 0x0600 | u16::from(*which), bytes);
        }
        for (kind, counter) in before {
            let now = counters(&memory).into_iter().find(|(other, _)| *other == kind);
            assert!(now.is_some_and(|(_, now)| now >= counter));
        }
        rest = next;
    }
});
