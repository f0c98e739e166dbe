//! `cancuoc emulate` before a reader of this test's own: what it does when it is told to end.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

#[path = "support/cards.rs"]
mod cards;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use cancuoc::globalplatform::personalize::{Settings, personalize};
use cancuoc::globalplatform::read_back::TerminalInspection;
use cancuoc::globalplatform::{KeySet, NotReadBack};
use cancuoc::softcard::{ApplicationLifeCycle, BlankOptions, SoftCard};
use cancuoc::transport::{CardTransport, TransportError};
use support::cancuoc;

use cards::{Wanted, image, random};

/// The message of the reader that resets the card.
const RESET: u8 = 2;

/// vsmartcard's reader, which sends SIGTERM to the card's program after so many commands.
struct Reader {
    stream: TcpStream,
    program: Child,
    ends_after: u32,
    answered: u32,
}

impl Reader {
    /// Waits for the card in a file.
    fn with(card: &std::path::Path, ends_after: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut command = cancuoc();
        command.arg("emulate").arg(card).args(["--vpcd", &address]).stderr(Stdio::null());
        let program = command.spawn().unwrap();
        let (stream, _) = listener.accept().unwrap();
        Self { stream, program, ends_after, answered: 0 }
    }

    fn send(&mut self, message: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&[&(message.len() as u16).to_be_bytes(), message].concat())
    }

    fn exchange(&mut self, command: &[u8]) -> std::io::Result<Vec<u8>> {
        self.send(command)?;
        let mut length = [0; 2];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

impl CardTransport for Reader {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if self.answered == self.ends_after {
            let id = self.program.id().to_string();
            assert!(Command::new("kill").arg(id).status().unwrap().success());
        }
        let answer = self.exchange(command).map_err(|_| TransportError::CardRemoved)?;
        self.answered += 1;
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        &cancuoc::softcard::ATR
    }

    fn max_command_length(&self) -> usize {
        cancuoc::softcard::MAX_COMMAND_LENGTH
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.send(&[RESET]).map_err(|_| TransportError::CardRemoved)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn told_to_end_while_it_is_personalised_it_ends_at_once_and_the_card_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blank.card");
    drop(SoftCard::create(&path, &BlankOptions::test([0, 0, 0, 9])).unwrap());
    let image = image(&Wanted::default());
    let keys = KeySet::test_keys().unwrap();
    let settings = Settings::new(&keys);

    let mut reader = Reader::with(&path, 12);
    let mut silent = |_| {};
    let done =
        personalize(&mut reader, &image, &settings, &mut random(), &mut NotReadBack, &mut silent);
    assert!(done.is_err());
    // The one that it was at, perhaps, and none after it.
    assert!((12..=13).contains(&reader.answered), "{} commands were answered", reader.answered);
    assert_eq!(reader.program.wait().unwrap().code(), Some(0));

    let mut card = SoftCard::open(&path).unwrap();
    assert_ne!(card.summary().application, ApplicationLifeCycle::Locked);
    // Its files may be there already: then it is opened as a reader would, to see whose it is.
    let mut for_inspection = random();
    let mut inspection = TerminalInspection::new(&mut for_inspection);
    personalize(&mut card, &image, &settings, &mut random(), &mut inspection, &mut silent).unwrap();
    assert_eq!(card.summary().application, ApplicationLifeCycle::Locked);
}
