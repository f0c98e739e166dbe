//! Standard input says when the cards of a deck go in and out.

use std::cell::RefCell;
use std::io::{BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use crate::cli::{ExitStatus, Failure};

/// How often a wait looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Longest line that is read as one.
const MAX_LINE: u64 = 1024;

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The next card goes into the reader.
    In,
    /// It goes out.
    Out,
}

/// The lines of standard input.
pub(super) struct Steps {
    lines: Receiver<String>,
    /// A line that came while nobody waited for it; `None` in it at the end of the input.
    seen: RefCell<Option<Option<String>>>,
}

impl Steps {
    pub(super) fn read(mut input: impl BufRead + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(1);
        // It ends with its input or with the program: reading cannot be interrupted.
        std::thread::spawn(move || {
            loop {
                let mut line = String::new();
                match (&mut input).take(MAX_LINE).read_line(&mut line) {
                    Ok(1..) if sender.send(line).is_ok() => {}
                    _ => break,
                }
            }
        });
        Self { lines, seen: RefCell::default() }
    }

    /// Whether there is a line, or will be none any more.
    pub(super) fn has_come(&self) -> bool {
        let mut seen = self.seen.borrow_mut();
        if seen.is_none() {
            match self.lines.try_recv() {
                Ok(line) => *seen = Some(Some(line)),
                Err(TryRecvError::Disconnected) => *seen = Some(None),
                Err(TryRecvError::Empty) => {}
            }
        }
        seen.is_some()
    }

    /// Waits for the line that asks for this; `false` when there are no more or `stop` is set.
    ///
    /// # Errors
    /// A line that asks for something else.
    pub(super) fn wait(&self, step: Step, stop: &AtomicBool) -> Result<bool, Failure> {
        let line = loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if let Some(seen) = self.seen.borrow_mut().take() {
                break seen;
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => break Some(line),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        let wanted = match step {
            Step::In => "in",
            Step::Out => "out",
        };
        match line {
            None => Ok(false),
            Some(line) if line.trim() == wanted => Ok(true),
            Some(line) => {
                let detail: String = line.trim_end().chars().take(20).collect();
                let failure = Failure::new(ExitStatus::BadInput, "deck_step_unexpected", detail);
                Err(failure.with("wanted", wanted))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(input: &'static str) -> Steps {
        Steps::read(input.as_bytes())
    }

    static GO_ON: AtomicBool = AtomicBool::new(false);

    #[test]
    fn waits_for_each_line_in_its_turn_until_there_is_none() {
        let steps = steps("in\nout\n");
        assert!(steps.wait(Step::In, &GO_ON).unwrap());
        assert!(steps.wait(Step::Out, &GO_ON).unwrap());
        assert!(!steps.wait(Step::In, &GO_ON).unwrap());
    }

    #[test]
    fn a_line_that_was_seen_coming_is_not_lost() {
        let steps = steps("in\nout\n");
        while !steps.has_come() {
            std::thread::yield_now();
        }
        assert!(steps.has_come());
        assert!(steps.wait(Step::In, &GO_ON).unwrap());
        assert!(steps.wait(Step::Out, &GO_ON).unwrap());
        while !steps.has_come() {
            std::thread::yield_now();
        }
        assert!(!steps.wait(Step::In, &GO_ON).unwrap());
    }

    #[test]
    fn refuses_a_line_out_of_turn() {
        let failure = steps("out\n").wait(Step::In, &GO_ON).unwrap_err();
        assert_eq!(failure.code, "deck_step_unexpected");
        assert_eq!(failure.exit, ExitStatus::BadInput);
    }

    #[test]
    fn stops_waiting_when_asked_to() {
        let (silent, _keep) = std::io::pipe().unwrap();
        let steps = Steps::read(std::io::BufReader::new(silent));
        assert!(!steps.wait(Step::In, &AtomicBool::new(true)).unwrap());
    }
}
