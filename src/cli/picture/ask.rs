//! Asks the terminal which pictures it shows.
//!
//! A query of kitty's protocol, and behind it the one that every terminal since the VT100 answers
//! (primary device attributes, where 4 stands for sixel). Terminal multiplexers answer for
//! themselves, so what they do not pass on is not used.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

use super::Graphics;

/// How long the terminal may take between two parts of its answer, in tenths of a second: an answer
/// that comes too late would be taken for keys.
const PATIENCE: u8 = 10;
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 512;
/// A picture of one pixel that is only asked about, then the primary device attributes.
const QUERY: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c";

/// What the terminal of this program shows; half blocks where it does not say.
pub(super) fn what_the_terminal_can() -> Graphics {
    if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        return Graphics::None;
    }
    ask().map_or(Graphics::Blocks, |answer| judge(&answer))
}

/// Sends the query and collects the answer.
fn ask() -> io::Result<Vec<u8>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    // In the background a program that touches the terminal is stopped.
    if tcgetpgrp(&terminal)? != rustix::process::getpgrp() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let saved = tcgetattr(&terminal)?;
    tcsetattr(&terminal, OptionalActions::Now, &quiet(&saved))?;
    let answer = exchange(&mut terminal);
    tcsetattr(&terminal, OptionalActions::Now, &saved)?;
    answer
}

/// No echo, no waiting for whole lines, and an end of waiting.
fn quiet(modes: &Termios) -> Termios {
    let mut quiet = modes.clone();
    quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
    quiet.special_codes[SpecialCodeIndex::VMIN] = 0;
    quiet.special_codes[SpecialCodeIndex::VTIME] = PATIENCE;
    quiet
}

fn exchange(terminal: &mut (impl Read + Write)) -> io::Result<Vec<u8>> {
    terminal.write_all(QUERY)?;
    terminal.flush()?;
    let mut answer = Vec::new();
    let mut piece = [0; 64];
    while answer.len() < MAX_ANSWER && !is_whole(&answer) {
        match terminal.read(&mut piece)? {
            0 => break,
            count => answer.extend(piece.iter().take(count)),
        }
    }
    Ok(answer)
}

/// The device attributes, which come last, have come: `ESC [ ? … c`.
fn is_whole(answer: &[u8]) -> bool {
    device_attributes(answer).is_some()
}

fn device_attributes(answer: &[u8]) -> Option<&[u8]> {
    let start = answer.windows(3).rposition(|w| w == b"\x1b[?")?;
    let rest = answer.get(start + 3..)?;
    let end = rest.iter().position(|b| *b == b'c')?;
    rest.get(..end)
}

/// What an answer means.
fn judge(answer: &[u8]) -> Graphics {
    let has = |wanted: &[u8]| answer.windows(wanted.len()).any(|window| window == wanted);
    if has(b"\x1b_Gi=31;OK") {
        return Graphics::Kitty;
    }
    let attributes = device_attributes(answer).unwrap_or_default();
    if attributes.split(|b| *b == b';').any(|attribute| attribute == b"4") {
        return Graphics::Sixel;
    }
    Graphics::Blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tells_what_terminals_answer() {
        assert_eq!(judge(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c"), Graphics::Kitty);
        assert_eq!(judge(b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?62;4;6c"), Graphics::Sixel);
        assert_eq!(judge(b"\x1b[?64;1;2;4;22c"), Graphics::Sixel);
        // 64 and 14 are no 4.
        assert_eq!(judge(b"\x1b[?64;14;22c"), Graphics::Blocks);
        assert_eq!(judge(b""), Graphics::Blocks);
    }

    #[test]
    fn reads_until_the_answer_is_whole() {
        struct Terminal(Vec<&'static [u8]>);
        impl Read for Terminal {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let piece = if self.0.is_empty() { &[][..] } else { self.0.remove(0) };
                to[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        impl Write for Terminal {
            fn write(&mut self, from: &[u8]) -> io::Result<usize> {
                Ok(from.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut terminal = Terminal(vec![b"\x1b_Gi=31;OK\x1b\\", b"\x1b[?6", b"2c", b"keys"]);
        let answer = exchange(&mut terminal).unwrap();
        assert_eq!((judge(&answer), terminal.0.len()), (Graphics::Kitty, 1));
        let mut silent = Terminal(vec![]);
        assert_eq!(judge(&exchange(&mut silent).unwrap()), Graphics::Blocks);
    }

    proptest! {
        #[test]
        fn never_panics_on_any_answer(answer in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = judge(&answer);
        }
    }
}
