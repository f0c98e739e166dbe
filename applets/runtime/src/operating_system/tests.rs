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

/// Answers each command with its class and data.
struct Echo;

impl Application for Echo {
    fn aid(&self) -> &[u8] {
        b"ECHO1"
    }
    fn power_on(&mut self, _: &mut Environment<'_>) {}
    fn select(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        Response::ok(Vec::new())
    }
    fn deselect(&mut self) {}
    fn process(&mut self, _: &mut Environment<'_>, command: &Command<'_>) -> Response {
        Response::ok([&[command.cla], command.data].concat())
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
}

/// The card's answers to the commands.
fn answers<const N: usize>(commands: [&[u8]; N]) -> [Vec<u8>; N] {
    let mut system = OperatingSystem::new(Box::new(Echo), vec![Box::new(Echo)]);
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
