//! Where scanned data come from besides the keys of the screen: a list in a file or pipe, or the
//! lines of a device.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use zeroize::Zeroizing;

use super::run::{Message, Post};
use crate::checkpoint::{Event, Given, GivenError, MAX_TEXT, Typed, Wedge};
use crate::cli::{ExitStatus, Failure};
use crate::error::ErrorCode;

/// How often a scanner that is gone is looked for.
const DEVICE_RETRY: Duration = Duration::from_secs(1);

/// A source of scanned data.
pub(in crate::cli) enum Source {
    /// Lines of standard input as somebody types or scans them: the newest counts.
    Typed,
    /// The device of a serial scanner: the same.
    Device(PathBuf),
    /// A list: one entry for each card, in order.
    List {
        /// Where it is read from.
        from: Box<dyn Read + Send>,
        /// Its name in errors.
        name: String,
    },
}

/// What a list holds.
pub(in crate::cli) enum ListItem {
    /// Data for one card.
    Given(Given),
    /// Nothing more.
    End,
}

impl Source {
    /// The sources that the option names. Standard input is read for answers where it is not the
    /// list; where keys go to a screen it is left alone.
    ///
    /// # Errors
    /// A [`Failure`] that names the file.
    pub(in crate::cli) fn open(path: Option<&Path>, screen: bool) -> Result<Vec<Self>, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(match (screen, io::stdin().is_terminal()) {
                (true, _) => Vec::new(),
                (false, true) => vec![Self::Typed],
                (false, false) => {
                    vec![Self::List { from: Box::new(io::stdin()), name: "-".to_owned() }]
                }
            });
        };
        let fail = |e: &io::Error| Failure::file(path, e);
        let file = File::open(path).map_err(|e| fail(&e))?;
        let device = file.metadata().map_err(|e| fail(&e))?.file_type().is_char_device();
        let named = match device {
            true => Self::Device(path.to_owned()),
            false => Self::List { from: Box::new(file), name: path.display().to_string() },
        };
        Ok(std::iter::once(named).chain((!screen).then_some(Self::Typed)).collect())
    }

    /// Whether it is a list, with whose end the checkpoint may end.
    pub(in crate::cli) const fn is_list(&self) -> bool {
        matches!(self, Self::List { .. })
    }

    /// Whether it is a list on standard input, so that nobody can answer there.
    pub(in crate::cli) fn is_piped(&self) -> bool {
        matches!(self, Self::List { name, .. } if name == "-")
    }

    /// Reads in a thread of its own. Lines that are typed go to the post; a list waits to be taken.
    pub(super) fn start(self, post: &Post) -> Option<Receiver<ListItem>> {
        let post = post.clone();
        match self {
            Self::Typed => {
                std::thread::spawn(move || read_lines(io::stdin(), &post));
                None
            }
            Self::Device(path) => {
                std::thread::spawn(move || read_device(&path, &post));
                None
            }
            Self::List { from, name } => {
                let (sender, list) = sync_channel(1);
                std::thread::spawn(move || {
                    if let Err(failure) = read_list(from, &name, &sender, &post) {
                        post.send(Message::Broken(Box::new(failure)));
                    }
                });
                Some(list)
            }
        }
    }
}

/// Sends lines until there are no more; false where nobody takes them.
fn read_lines(from: impl Read, post: &Post) -> bool {
    let mut lines = BufReader::new(from);
    while let Ok(Some(line)) = next_line(&mut lines) {
        if !post.event(Event::Line(line)) {
            return false;
        }
    }
    true
}

/// Reads a scanner that may be unplugged and plugged in again.
fn read_device(path: &Path, post: &Post) {
    let mut down = false;
    loop {
        if let Ok(file) = File::open(path) {
            quiet(&file);
            if std::mem::take(&mut down) && !post.event(Event::Scanner { down }) {
                return;
            }
            if !read_lines(file, post) {
                return;
            }
        }
        if !std::mem::replace(&mut down, true) && !post.event(Event::Scanner { down }) {
            return;
        }
        std::thread::sleep(DEVICE_RETRY);
    }
}

/// A serial line that echoes would send back to the scanner what it scans.
fn quiet(file: &File) {
    // What is no terminal has no echo.
    let Ok(mut modes) = rustix::termios::tcgetattr(file) else { return };
    modes.local_modes -= rustix::termios::LocalModes::ECHO;
    let _ = rustix::termios::tcsetattr(file, rustix::termios::OptionalActions::Now, &modes);
}

/// Sends the entries of a list. A line that opens no card ends it: leaving it out would give the
/// next card's data to this one.
fn read_list(
    from: impl Read,
    name: &str,
    list: &SyncSender<ListItem>,
    post: &Post,
) -> Result<(), Failure> {
    let mut lines = BufReader::new(from);
    let mut wedge = Wedge::default();
    let bad = |number: usize, code: &str, detail: String| {
        let detail = format!("line {number}: {detail}");
        let failure = Failure::new(ExitStatus::BadInput, "checkpoint_list", detail);
        failure.with("path", name).with("line", number).with("code", code)
    };
    let mut number = 0;
    while let Some(line) = next_line(&mut lines).map_err(|e| Failure::file(Path::new(name), &e))? {
        number += 1;
        if line.trim_start().starts_with('#') {
            continue;
        }
        match wedge.line(&line, Duration::ZERO) {
            Typed::Nothing | Typed::More => {}
            Typed::Given(given) => {
                if list.send(ListItem::Given(given)).is_err() {
                    return Ok(());
                }
                post.send(Message::Wake);
            }
            Typed::Wrong(error) => return Err(bad(number, error.code(), error.to_string())),
            Typed::Agree | Typed::Refuse => {
                let error = GivenError::Unknown { length: line.trim().chars().count() };
                return Err(bad(number, error.code(), error.to_string()));
            }
        }
    }
    if wedge.lines() > 0 {
        return Err(bad(number, "mrz_length", "the list ends within an MRZ".to_owned()));
    }
    let _ = list.send(ListItem::End);
    post.send(Message::Wake);
    Ok(())
}

/// The next line, cut where it is longer than anything that opens a card; `None` at the end.
fn next_line(from: &mut impl BufRead) -> io::Result<Option<Zeroizing<String>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    let most = MAX_TEXT as u64 + 2;
    if from.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    Ok(Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// The kinds of the entries of a list, and what was wrong.
    fn list(text: &str) -> (Vec<&'static str>, Option<String>) {
        let (sender, items) = sync_channel(100);
        let (post, _messages) = channel();
        let result = read_list(text.as_bytes(), "list", &sender, &Post::new(post));
        drop(sender);
        let kind = |item: ListItem| match item {
            ListItem::Given(given) => given.kind(),
            ListItem::End => "end",
        };
        (items.iter().map(kind).collect(), result.err().map(|f| f.detail))
    }

    #[test]
    fn reads_one_entry_for_each_card() {
        let text = "# cards of the morning\n000018\n\nIDVNM2000000185001200000018<<6\n\
                    0001018F4001016VNM<<<<<<<<<<<0\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<\n001200000018";
        assert_eq!(list(text), (vec!["can", "mrz", "number", "end"], None));
    }

    #[test]
    fn stops_at_a_line_that_opens_no_card_and_names_it() {
        let (kinds, error) = list("000018\nhello\n000019\n");
        assert_eq!(kinds, ["can"]);
        assert!(error.unwrap().starts_with("line 2: "));
        assert_eq!(list("ok\n").1.map(|e| e.starts_with("line 1: ")), Some(true));
    }

    #[test]
    fn refuses_a_list_that_ends_within_an_mrz() {
        assert!(list("IDVNM2000000185001200000018<<6\n").1.is_some());
    }

    #[test]
    fn cuts_lines_without_end() {
        let long = "1".repeat(3 * MAX_TEXT);
        let mut lines = BufReader::new(long.as_bytes());
        assert!(next_line(&mut lines).unwrap().unwrap().len() <= MAX_TEXT + 2);
    }
}
