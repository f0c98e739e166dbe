//! What the tests of the built binary share.
#![allow(dead_code, unused_imports)] // each test binary uses a part

mod emulation;
mod pcsc;

use std::process::Command;

pub use emulation::{Emulation, card_in_use};
pub use pcsc::{PcscStack, VPCD, VirtualReader, wait_until};

/// A command with the built binary, in English and without settings of the machine.
pub fn cancuoc() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cancuoc"));
    command.env_remove("CANCUOC_READER").env("LC_ALL", "C").args(["--lang", "en"]);
    command
}
