//! Command chaining under secure messaging: every command of the chain has a protection of its own,
//! so only the application can join them (BSI TR-03110-3 §E.1, ISO/IEC 7816-4 §5.3.3).

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, StatusWord};
use zeroize::Zeroizing;

/// Most bytes of a chained command: a certificate with explicit domain parameters has about 1000.
const MAX_CHAIN: usize = 4096;
const CHAINING: u8 = 0x10;
const LAST_OF_CHAIN_EXPECTED: StatusWord = StatusWord(0x6883);

/// The commands of a chain so far.
pub struct CommandChain {
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
}

/// What became of a command.
pub enum Collected {
    /// It is on its own: carry it out as it is.
    Single,
    /// It is the last of a chain, whose data are these.
    Last(Zeroizing<Vec<u8>>),
    /// More is to come.
    More,
}

/// Adds a command to the chain.
///
/// 6883 when another command comes before the chain is complete, 6700 for too much data; either ends
/// the chain.
pub fn collect(
    chain: &mut Option<CommandChain>,
    command: &Command<'_>,
) -> Result<Collected, StatusWord> {
    let header = [command.cla & !CHAINING, command.ins, command.p1, command.p2];
    let more = command.cla & CHAINING != 0;
    let so_far = chain.take();
    if so_far.as_ref().is_some_and(|chain| chain.header != header) {
        return Err(LAST_OF_CHAIN_EXPECTED);
    }
    if so_far.is_none() && !more {
        return Ok(Collected::Single);
    }
    let before = so_far.map(|chain| chain.data).unwrap_or_default();
    if before.len() + command.data.len() > MAX_CHAIN {
        return Err(StatusWord::WRONG_LENGTH);
    }
    // A new buffer of the right size, so that none is left behind when one grows.
    let data = Zeroizing::new([&before[..], command.data].concat());
    if more {
        *chain = Some(CommandChain { header, data });
        return Ok(Collected::More);
    }
    Ok(Collected::Last(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn command(cla: u8, ins: u8, data: &[u8]) -> Command<'_> {
        Command { cla, ins, p1: 0, p2: 0xBE, data, ne: None, extended: false }
    }

    #[test]
    fn joins_the_data_of_a_chain() {
        let mut chain = None;
        let first = collect(&mut chain, &command(0x10, 0x2A, &[1, 2]));
        assert!(matches!(first, Ok(Collected::More)));
        let last = collect(&mut chain, &command(0x00, 0x2A, &[3]));
        assert!(matches!(last, Ok(Collected::Last(data)) if *data == [1, 2, 3]));
        assert!(matches!(collect(&mut chain, &command(0, 0x2A, &[4])), Ok(Collected::Single)));
    }

    #[test]
    fn refuses_another_command_within_a_chain_and_ends_it() {
        let mut chain = None;
        assert!(collect(&mut chain, &command(0x10, 0x2A, &[1])).is_ok());
        let other = collect(&mut chain, &command(0x00, 0x84, &[]));
        assert!(matches!(other, Err(LAST_OF_CHAIN_EXPECTED)));
        assert!(chain.is_none());
    }

    #[test]
    fn refuses_a_chain_without_end() {
        let mut chain = None;
        let mut taken = 0;
        while collect(&mut chain, &command(0x10, 0x2A, &[0; 255])).is_ok() {
            taken += 255;
            assert!(taken <= MAX_CHAIN);
        }
        assert!(chain.is_none());
    }
}
