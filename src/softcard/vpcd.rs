//! A software card as a card of vsmartcard's virtual PC/SC reader.
//!
//! The reader waits on a TCP port. A message is a length of two bytes and that many bytes; a message
//! of one byte is a control (0 power off, 1 power on, 2 reset, 4 get ATR), any other an APDU.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::misbehaviour::Reaction;
use super::{ATR, SoftCard};

/// Where the first virtual reader waits.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:35963";

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;

/// How often a blocked read looks whether it shall stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a card that never answers holds the reader: the daemon can do nothing else meanwhile.
const SILENCE: Duration = Duration::from_secs(120);

/// What the link tells of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The reader has the card.
    Connected,
    /// The reader went away; the link waits for it.
    Disconnected,
}

/// Connects and stays a card until `stop` is set; waits for the reader when it goes away.
///
/// # Errors
/// When the reader cannot be reached the first time.
pub fn serve(
    card: &mut SoftCard,
    address: &str,
    stop: &AtomicBool,
    mut event: impl FnMut(Event),
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let stopped = || stop.load(Ordering::Relaxed);
    while !stopped() {
        event(Event::Connected);
        if let Err(error) = answer(card, &stream, &stopped, &Watch::default()) {
            tracing::debug!("vpcd link: {error}");
        }
        if stopped() {
            break;
        }
        event(Event::Disconnected);
        match reconnect(address, stop) {
            Some(again) => stream = again,
            None => break,
        }
    }
    Ok(())
}

fn reconnect(address: &str, stop: &AtomicBool) -> Option<TcpStream> {
    while !stop.load(Ordering::Relaxed) {
        if let Ok(stream) = TcpStream::connect(address) {
            return Some(stream);
        }
        std::thread::sleep(PATIENCE);
    }
    None
}

/// Answers messages until the peer closes or `stop` is set.
///
/// # Errors
/// Whatever the connection says.
pub fn serve_connection(
    card: &mut SoftCard,
    stream: &TcpStream,
    stop: &AtomicBool,
) -> io::Result<()> {
    answer(card, stream, &|| stop.load(Ordering::Relaxed), &Watch::default())
}

/// Why a card went out of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out {
    /// Somebody talked with it and has let go of it since.
    Finished,
    /// It lay there as long as it might.
    TimeUp,
    /// It was asked for from outside.
    Taken,
    /// The link ended: the card left by itself, or the reader went away.
    Gone,
}

/// What happened to a card while it lay in the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Commands that it got.
    pub commands: u64,
    /// Why it went out.
    pub out: Out,
}

/// Puts a card into the reader until somebody has talked with it and let go of it, `taken` says so,
/// or the time is up.
///
/// # Errors
/// When the reader cannot be reached.
pub fn visit(
    card: &mut SoftCard,
    address: &str,
    most: Duration,
    taken: &dyn Fn() -> bool,
) -> io::Result<Visit> {
    let stream = TcpStream::connect(address)?;
    let watch = Watch::default();
    let end = Instant::now() + most;
    let over = || taken() || Instant::now() >= end || watch.is_finished();
    if let Err(error) = answer(card, &stream, &over, &watch) {
        tracing::debug!("vpcd link: {error}");
    }
    let out = if taken() {
        Out::Taken
    } else if watch.is_finished() {
        Out::Finished
    } else if Instant::now() >= end {
        Out::TimeUp
    } else {
        Out::Gone
    };
    Ok(Visit { commands: watch.commands.get(), out })
}

/// What a reader does with a card.
#[derive(Default)]
struct Watch {
    commands: Cell<u64>,
    /// When the card was reset or powered off after it had got commands, and got none since.
    let_go: Cell<Option<Instant>>,
}

/// How long no command must come after a reset before the reader has let go of the card: in the
/// middle of a conversation a reset is followed by commands at once.
const QUIET: Duration = Duration::from_millis(1500);

impl Watch {
    fn command(&self) {
        self.commands.set(self.commands.get() + 1);
        self.let_go.set(None);
    }

    fn power_changed(&self) {
        if self.commands.get() > 0 && self.let_go.get().is_none() {
            self.let_go.set(Some(Instant::now()));
        }
    }

    fn is_finished(&self) -> bool {
        self.let_go.get().is_some_and(|since| since.elapsed() >= QUIET)
    }
}

fn answer(
    card: &mut SoftCard,
    mut stream: &TcpStream,
    stop: &dyn Fn() -> bool,
    watch: &Watch,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    while let Some(message) = receive(stream, stop)? {
        let answer = match message[..] {
            [POWER_OFF] => {
                watch.power_changed();
                None
            }
            [POWER_ON | RESET] => {
                watch.power_changed();
                card.power_on();
                None
            }
            [GET_ATR] => Some(ATR.to_vec()),
            [_] | [] => None,
            ref apdu => {
                watch.command();
                match card.react(apdu) {
                    Reaction::Answer(answer) => Some(answer),
                    Reaction::Gone => return Ok(()),
                    Reaction::Silence => return stay_silent(stream, stop),
                }
            }
        };
        if let Some(answer) = answer {
            stream.write_all(&frame(&answer))?;
        }
    }
    Ok(())
}

/// Answers nothing until the peer closes, `stop` is set, or nobody can be waiting any more.
fn stay_silent(mut stream: &TcpStream, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let end = Instant::now() + SILENCE;
    let mut ignored = [0; 256];
    while Instant::now() < end && !stop() {
        match stream.read(&mut ignored) {
            Ok(0) => break,
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(e);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Length and bytes in one piece, so that they go out in one segment.
fn frame(message: &[u8]) -> Vec<u8> {
    // No response APDU that the length field cannot hold gets through this reader.
    let message = if message.len() > usize::from(u16::MAX) { &[0x67, 0x00][..] } else { message };
    let mut out = (message.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(message);
    out
}

/// The next message, or `None` when the peer closed or `stop` is set.
fn receive(stream: &TcpStream, stop: &dyn Fn() -> bool) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if !read_whole(stream, &mut length, stop)? {
        return Ok(None);
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    Ok(read_whole(stream, &mut message, stop)?.then_some(message))
}

/// Fills the buffer; `false` when the peer closed or `stop` is set.
fn read_whole(
    mut stream: &TcpStream,
    buffer: &mut [u8],
    stop: &dyn Fn() -> bool,
) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // The reader sends length and body in two segments and waits for our acknowledgement in
        // between: without this each APDU takes 50 ms. The kernel forgets it after each receive.
        SockRef::from(stream).set_tcp_quickack(true)?;
        match stream.read(rest) {
            Ok(0) => return Ok(false),
            Ok(count) => filled += count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stop() {
                    return Ok(false);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::softcard::BlankOptions;
    use std::net::TcpListener;
    use std::sync::Arc;

    /// Plays the reader: accepts the card and exchanges messages.
    struct Reader(TcpStream);

    impl Reader {
        fn send(&mut self, message: &[u8]) {
            self.0.write_all(&(message.len() as u16).to_be_bytes()).unwrap();
            self.0.write_all(message).unwrap();
        }

        fn receive(&mut self) -> Vec<u8> {
            let mut length = [0; 2];
            self.0.read_exact(&mut length).unwrap();
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            self.0.read_exact(&mut message).unwrap();
            message
        }
    }

    fn start() -> (TcpListener, Arc<AtomicBool>, std::thread::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 1])).unwrap();
            serve(&mut card, &address, &flag, |_| {})
        });
        (listener, stop, thread)
    }

    #[test]
    fn answers_control_messages_and_apdus() {
        let (listener, stop, thread) = start();
        let mut reader = Reader(listener.accept().unwrap().0);
        reader.send(&[POWER_ON]);
        reader.send(&[GET_ATR]);
        assert_eq!(reader.receive(), ATR);
        reader.send(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
        let answer = reader.receive();
        assert_eq!(answer[..1], [0x6F]);
        assert_eq!(answer[answer.len() - 2..], [0x90, 0x00]);
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
    }

    #[test]
    fn comes_back_when_the_reader_does() {
        let (listener, stop, thread) = start();
        drop(listener.accept().unwrap());
        let mut reader = Reader(listener.accept().unwrap().0);
        reader.send(&[GET_ATR]);
        assert_eq!(reader.receive(), ATR);
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
    }

    /// A card that visits a reader, which does what `reader` does and then waits for it to leave.
    fn visited(most: Duration, reader: impl FnOnce(&mut Reader)) -> Visit {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let mut card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 1])).unwrap();
            visit(&mut card, &address, most, &|| false).unwrap()
        });
        let mut stream = Reader(listener.accept().unwrap().0);
        reader(&mut stream);
        assert_eq!(stream.0.read(&mut [0; 2]).unwrap(), 0, "the card goes out by itself");
        thread.join().unwrap()
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_card_goes_out_when_the_reader_has_let_go_of_it() {
        let visit = visited(LONG, |reader| {
            // Looking at it is no conversation.
            reader.send(&[POWER_ON]);
            reader.send(&[POWER_OFF]);
            reader.send(&[POWER_ON]);
            reader.send(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
            reader.receive();
            // Nor is a reset in the middle its end.
            reader.send(&[RESET]);
            reader.send(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
            reader.receive();
            reader.send(&[POWER_OFF]);
        });
        assert_eq!(visit, Visit { commands: 2, out: Out::Finished });
    }

    #[test]
    fn a_card_that_nobody_talks_with_goes_out_when_its_time_is_up() {
        let visit = visited(Duration::ZERO, |reader| reader.send(&[POWER_ON]));
        assert_eq!(visit, Visit { commands: 0, out: Out::TimeUp });
    }
}
