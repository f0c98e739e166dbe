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
const PATIENCE: Duration = Duration::from_millis(50);
/// How often a reader that went away is looked for.
const RECONNECT: Duration = Duration::from_millis(200);

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

/// Connects and stays a card until `stop` is set; waits for the reader when it goes away. The command
/// that the card is at when it is set is carried out and answered, and none after it.
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
        if let Err(error) = answer(card, &stream, &Ends::asked(&stopped), &Watch::default()) {
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
        std::thread::sleep(RECONNECT);
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
    let stopped = || stop.load(Ordering::Relaxed);
    answer(card, stream, &Ends::asked(&stopped), &Watch::default())
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

/// Puts a card into the reader until `taken` says so, and with a time also until somebody has talked
/// with it and let go of it or the time is up.
///
/// # Errors
/// When the reader cannot be reached.
pub fn visit(
    card: &mut SoftCard,
    address: &str,
    most: Option<Duration>,
    taken: &dyn Fn() -> bool,
) -> io::Result<Visit> {
    let stream = TcpStream::connect(address)?;
    let watch = Watch::default();
    let start = Instant::now();
    let time_up = || most.is_some_and(|most| start.elapsed() >= most);
    let finished = || most.is_some() && watch.is_finished();
    let ends = Ends { asked: &|| taken() || time_up(), idle: &finished };
    if let Err(error) = answer(card, &stream, &ends, &watch) {
        tracing::debug!("vpcd link: {error}");
    }
    let out = if taken() {
        Out::Taken
    } else if finished() {
        Out::Finished
    } else if time_up() {
        Out::TimeUp
    } else {
        Out::Gone
    };
    Ok(Visit { commands: watch.commands.get(), out })
}

/// Waits until the daemon has looked at the reader and found it empty, or `stop` says so.
///
/// A daemon that asks for a card's answer to reset at each look takes a card that comes before the next
/// look for the one that left: so this one leaves at the first question.
///
/// # Errors
/// When the reader cannot be reached.
pub fn leave_empty(address: &str, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if let Err(error) = receive(&stream, &Ends::asked(stop)) {
        tracing::debug!("vpcd link: {error}");
    }
    Ok(())
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

/// What ends a link from the card's side.
struct Ends<'a> {
    /// Looked at before each message: a reader that never stops talking holds nobody up.
    asked: &'a dyn Fn() -> bool,
    /// Looked at while no message comes: one that has come is answered first.
    idle: &'a dyn Fn() -> bool,
}

impl<'a> Ends<'a> {
    const fn asked(asked: &'a dyn Fn() -> bool) -> Self {
        Self { asked, idle: &|| false }
    }

    fn while_waiting(&self) -> bool {
        (self.asked)() || (self.idle)()
    }
}

fn answer(
    card: &mut SoftCard,
    mut stream: &TcpStream,
    ends: &Ends<'_>,
    watch: &Watch,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    while !(ends.asked)() {
        let Some(message) = receive(stream, ends)? else { break };
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
                    Reaction::Silence => return stay_silent(stream, ends),
                }
            }
        };
        if let Some(answer) = answer {
            stream.write_all(&frame(&answer))?;
        }
    }
    Ok(())
}

/// Answers nothing until the peer closes, the link ends, or nobody can be waiting any more.
fn stay_silent(mut stream: &TcpStream, ends: &Ends<'_>) -> io::Result<()> {
    let end = Instant::now() + SILENCE;
    let mut ignored = [0; 256];
    while Instant::now() < end && !ends.while_waiting() {
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

/// The next message, or `None` when the peer closed or the link ends.
fn receive(stream: &TcpStream, ends: &Ends<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if !read_whole(stream, &mut length, ends)? {
        return Ok(None);
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    Ok(read_whole(stream, &mut message, ends)?.then_some(message))
}

/// Fills the buffer; `false` when the peer closed or the link ends.
fn read_whole(mut stream: &TcpStream, buffer: &mut [u8], ends: &Ends<'_>) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // The reader sends length and body in two segments and waits for our acknowledgement in
        // between: without this each APDU takes 50 ms. The kernel forgets it after each receive.
        SockRef::from(stream).set_tcp_quickack(true)?;
        match stream.read(rest) {
            Ok(0) => return Ok(false),
            Ok(count) => filled += count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if ends.while_waiting() {
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
    use std::io::BufReader;
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
    fn visited(most: Option<Duration>, reader: impl FnOnce(&mut Reader)) -> Visit {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let mut card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 1])).unwrap();
            visit(&mut card, &address, most, &|| false).unwrap()
        });
        let mut stream = Reader(listener.accept().unwrap().0);
        reader(&mut stream);
        // An error where the card closed before it read all.
        assert_eq!(stream.0.read(&mut [0; 2]).unwrap_or(0), 0, "the card goes out by itself");
        thread.join().unwrap()
    }

    #[test]
    fn stops_between_two_commands_of_a_reader_that_never_pauses() {
        let (listener, stop, thread) = start();
        let mut reader = Reader(listener.accept().unwrap().0);
        let challenge = [0x00, 0x84, 0x00, 0x00, 0x08];
        reader.send(&challenge);
        reader.receive();
        let mut commands = reader.0.try_clone().unwrap();
        // The next is always there already, until the card has closed the link.
        let sender = std::thread::spawn(move || {
            let message = frame(&challenge);
            while commands.write_all(&message).is_ok() {}
        });
        stop.store(true, Ordering::Relaxed);
        let answers = BufReader::new(&mut reader.0).bytes().take_while(Result::is_ok).count();
        thread.join().unwrap().unwrap();
        sender.join().unwrap();
        // None is cut off: each is a status word, the application with random numbers not selected.
        assert_eq!(answers % 4, 0);
    }

    const LONG: Option<Duration> = Some(Duration::from_secs(600));

    #[test]
    fn an_empty_reader_is_shown_by_no_answer_to_the_first_question() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || leave_empty(&address, &|| false));
        let mut reader = Reader(listener.accept().unwrap().0);
        reader.send(&[GET_ATR]);
        assert_eq!(reader.0.read(&mut [0; 2]).unwrap(), 0);
        thread.join().unwrap().unwrap();
    }

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
        let visit = visited(Some(Duration::ZERO), |_| {});
        assert_eq!(visit, Visit { commands: 0, out: Out::TimeUp });
    }
}
