use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::{Application, Command, Environment, NonVolatileMemory, Response, StatusWord};

/// A memory that keeps nothing.
struct Nothing;

impl NonVolatileMemory for Nothing {
    fn read(&self, _: u32) -> Option<&[u8]> {
        None
    }
    fn keys(&self) -> Vec<u32> {
        Vec::new()
    }
    fn apply(&mut self, _: &[Write<'_>]) -> Result<(), MemoryError> {
        Ok(())
    }
}

struct NoRandom;

impl rand_core::TryRng for NoRandom {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(4)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(4)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(4);
        Ok(())
    }
}
impl rand_core::TryCryptoRng for NoRandom {}

/// Answers each command with what is asked of it.
struct Echo(fn(&Command<'_>) -> Vec<u8>);

fn class_and_data(command: &Command<'_>) -> Vec<u8> {
    [&[command.cla], command.data].concat()
}

/// Whether the lengths are extended, and how many bytes of data there are.
fn form(command: &Command<'_>) -> Vec<u8> {
    let [high, low] = (command.data.len() as u16).to_be_bytes();
    vec![u8::from(command.extended), high, low]
}

impl Application for Echo {
    fn aid(&self) -> &[u8] {
        b"ECHO1"
    }
    fn load_file(&self) -> &[u8] {
        b"ECHO-FILE"
    }
    fn is_erasable(&self, _: &dyn NonVolatileMemory) -> bool {
        true
    }
    fn power_on(&mut self, _: &mut Environment<'_>) {}
    fn select(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        Response::ok(Vec::new())
    }
    fn deselect(&mut self) {}
    fn process(&mut self, _: &mut Environment<'_>, command: &Command<'_>) -> Response {
        Response::ok(self.0(command))
    }
    fn personalize(&mut self, _: &mut Environment<'_>, _: u16, _: &[u8]) -> Result<(), StatusWord> {
        Err(StatusWord::REFERENCE_NOT_FOUND)
    }
    fn is_default_selected(&self, _: &dyn NonVolatileMemory) -> bool {
        true
    }
}

impl SecurityDomain for Echo {
    fn aid(&self) -> &[u8] {
        b"DOMAIN"
    }
    fn reset(&mut self) {}
    fn select(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        Response::ok(Vec::new())
    }
    fn process(&mut self, _: &mut dyn ManagedCard, _: &Command<'_>) -> Response {
        StatusWord::INS_NOT_SUPPORTED.into()
    }
    fn admits_applications(&self, _: &dyn NonVolatileMemory) -> bool {
        true
    }
}

/// The card's answers to the commands.
fn answers<const N: usize>(commands: [&[u8]; N]) -> [Vec<u8>; N] {
    answers_of(class_and_data, commands)
}

fn answers_of<const N: usize>(
    echo: fn(&Command<'_>) -> Vec<u8>,
    commands: [&[u8]; N],
) -> [Vec<u8>; N] {
    let mut system = OperatingSystem::new(Box::new(Echo(echo)), vec![Box::new(Echo(echo))]);
    system.power_on(&mut Nothing, &mut NoRandom);
    commands.map(|command| system.transmit(&mut Nothing, &mut NoRandom, command))
}

#[test]
fn a_plain_chain_is_joined() {
    let [first, last] = answers([&[0x10, 0x2A, 0, 0xBE, 1, 7], &[0x00, 0x2A, 0, 0xBE, 1, 8, 0]]);
    assert_eq!(first, [0x90, 0x00]);
    assert_eq!(last, [0x00, 7, 8, 0x90, 0x00]);
}

#[test]
fn each_command_of_a_protected_chain_goes_to_the_application() {
    let [first, last] = answers([&[0x1C, 0x2A, 0, 0xBE, 1, 7, 0], &[0x0C, 0x2A, 0, 0xBE, 1, 8, 0]]);
    assert_eq!(first, [0x1C, 7, 0x90, 0x00]);
    assert_eq!(last, [0x0C, 8, 0x90, 0x00]);
}

#[test]
fn another_command_ends_a_plain_chain() {
    let [_, other, last] = answers([
        &[0x10, 0x2A, 0, 0xBE, 1, 7],
        &[0x00, 0x84, 0, 0, 8],
        &[0x00, 0x2A, 0, 0xBE, 1, 8, 0],
    ]);
    assert_eq!(other, [0x68, 0x83]);
    assert_eq!(last, [0x00, 8, 0x90, 0x00]);
}

/// The joined command is the one that could have come whole: extended from 256 bytes of data on.
#[test]
fn a_joined_chain_has_the_form_of_the_command_that_it_stands_for() {
    let piece =
        |cla, length: u8| [&[cla, 0xE2, 0x80, 0, length][..], &vec![7; length.into()]].concat();
    for (first, last, extended) in [(200, 55, 0), (200, 56, 1), (255, 1, 1)] {
        let last_command = [piece(0x80, last), vec![0]].concat();
        let [more, joined] = answers_of(form, [&piece(0x90, first), &last_command]);
        assert_eq!(more, [0x90, 0x00]);
        let [high, low] = (u16::from(first) + u16::from(last)).to_be_bytes();
        assert_eq!(joined, [extended, high, low, 0x90, 0x00], "{first} {last}");
    }
}

#[test]
fn a_chain_longer_than_an_extended_command_is_refused_and_ended() {
    let piece = [&[0x10, 0xE2, 0x80, 0, 0, 0x80, 0x00][..], &[7; 0x8000]].concat();
    let [first, second, alone] =
        answers_of(form, [&piece, &piece, &[0x00, 0xE2, 0x80, 0, 1, 7, 0]]);
    assert_eq!((&first[..], &second[..]), (&[0x90, 0x00][..], &[0x67, 0x00][..]));
    assert_eq!(alone, [0, 0, 1, 0x90, 0x00]);
}
