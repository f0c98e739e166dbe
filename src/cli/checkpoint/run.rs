//! Runs a checkpoint: one thread owns the rules, others send it what happens.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::inspection::Inspector;
use super::journal::JournalFile;
use super::readers::Readers;
use super::scanned::{ListItem, Source};
use crate::checkpoint::{
    Action, Checkpoint, Event, Job, MAX_LANES, Outcome, Record, Settings, Tally, Trouble,
};
use crate::cli::{ExitStatus, Failure};

/// How often time passes where nothing else happens.
const TICK: Duration = Duration::from_millis(250);
/// Name of the threads that inspect cards: what they panic of ends a card, not the checkpoint.
pub(super) const INSPECTION_THREAD: &str = "inspection";
/// Entries of a list that are looked at ahead.
const LIST_AHEAD: usize = 8;

/// What threads send to the one that owns the rules.
#[derive(Debug)]
pub(in crate::cli) enum Message {
    /// Something happened at the checkpoint.
    Event(Event),
    /// Something else may have changed that views show, or a list has more.
    Wake,
    /// The end was asked for.
    Stop(Ending),
    /// Something broke without which the checkpoint cannot go on.
    Broken(Box<Failure>),
}

/// How a checkpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Ending {
    /// By itself, or asked for on the screen.
    Done,
    /// By Ctrl-C or a signal.
    Interrupted,
}

/// Where messages are sent to; cloned for each thread.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Post(Sender<Message>);

impl Post {
    /// A post whose messages arrive there.
    #[cfg(test)]
    pub(super) const fn new(sender: Sender<Message>) -> Self {
        Self(sender)
    }

    /// Sends a message; false where the checkpoint is at its end.
    pub(in crate::cli) fn send(&self, message: Message) -> bool {
        self.0.send(message).is_ok()
    }

    /// Sends an event.
    pub(in crate::cli) fn event(&self, event: Event) -> bool {
        self.send(Message::Event(event))
    }
}

/// Something that shows a checkpoint.
pub(in crate::cli) trait View {
    /// Begins, with a way to send what its person does.
    ///
    /// # Errors
    /// A [`Failure`] that ends the checkpoint.
    fn begin(&mut self, _post: &Post) -> Result<(), Failure> {
        Ok(())
    }

    /// A card ended so; called before it is drawn.
    ///
    /// # Errors
    /// A [`Failure`] that ends the checkpoint.
    fn record(&mut self, _record: &Record) -> Result<(), Failure> {
        Ok(())
    }

    /// Draws what is to be seen, at this time after the start.
    ///
    /// # Errors
    /// A [`Failure`] that ends the checkpoint.
    fn draw(&mut self, checkpoint: &Checkpoint, now: Duration) -> Result<(), Failure>;
}

/// What a checkpoint works with.
pub(in crate::cli) struct Station {
    /// How it is set up.
    pub settings: Settings,
    /// Reads and judges cards.
    pub inspector: Inspector,
    /// Where verdicts are recorded.
    pub journal: Option<JournalFile>,
}

/// Runs until the end.
///
/// # Errors
/// A [`Failure`] of a view, of the journal, or of a list.
pub(in crate::cli) fn run(
    station: Station,
    readers: Readers,
    sources: Vec<Source>,
    views: &mut [&mut dyn View],
) -> Result<(Tally, Ending), Failure> {
    let (sender, messages) = channel();
    let post = Post(sender);
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = interruptions()?;
    // At most one of them is a list.
    let list = sources.into_iter().filter_map(|source| source.start(&post)).last();
    readers.start(&post, &stop);
    for view in &mut *views {
        view.begin(&post)?;
    }
    let Station { settings, inspector, journal } = station;
    let runner = Runner {
        checkpoint: Checkpoint::new(settings),
        inspector: Arc::new(inspector),
        journal,
        post,
        workers: HashMap::new(),
        start: Instant::now(),
    };
    let result = runner.run(&messages, list.as_ref(), &interrupted, views);
    stop.store(true, Ordering::Relaxed);
    result
}

/// A flag that is set by the signals that end a program.
fn interruptions() -> Result<Arc<AtomicBool>, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, flag.clone())
            .map_err(|e| Failure::new(ExitStatus::Defect, "defect", e.to_string()))?;
    }
    Ok(flag)
}

struct Runner {
    checkpoint: Checkpoint,
    inspector: Arc<Inspector>,
    journal: Option<JournalFile>,
    post: Post,
    /// The thread of each reader.
    workers: HashMap<String, Sender<Job>>,
    start: Instant,
}

impl Runner {
    fn run(
        mut self,
        messages: &Receiver<Message>,
        list: Option<&Receiver<ListItem>>,
        interrupted: &AtomicBool,
        views: &mut [&mut dyn View],
    ) -> Result<(Tally, Ending), Failure> {
        loop {
            let ending = self.take_list(list, views)?;
            for view in &mut *views {
                view.draw(&self.checkpoint, self.start.elapsed())?;
            }
            let ending = match ending {
                Some(ending) => Some(ending),
                None => match messages.recv_timeout(TICK) {
                    Ok(first) => {
                        let mut ending = self.message(first, views)?;
                        // Everything that has come by now, before anything is drawn.
                        while ending.is_none()
                            && let Ok(next) = messages.try_recv()
                        {
                            ending = self.message(next, views)?;
                        }
                        ending
                    }
                    Err(RecvTimeoutError::Timeout) => self.handle(Event::Tick, views)?,
                    Err(RecvTimeoutError::Disconnected) => Some(Ending::Done),
                },
            };
            let signalled = interrupted.load(Ordering::Relaxed).then_some(Ending::Interrupted);
            if let Some(ending) = ending.or(signalled) {
                for view in &mut *views {
                    view.draw(&self.checkpoint, self.start.elapsed())?;
                }
                return Ok((self.checkpoint.state().tally, ending));
            }
        }
    }

    /// Takes as much of a list as will be needed soon: what feeds it waits meanwhile.
    fn take_list(
        &mut self,
        list: Option<&Receiver<ListItem>>,
        views: &mut [&mut dyn View],
    ) -> Result<Option<Ending>, Failure> {
        let mut ending = None;
        while let Some(list) = list
            && ending.is_none()
            && self.checkpoint.state().queued < LIST_AHEAD
            && let Ok(item) = list.try_recv()
        {
            let event = match item {
                ListItem::Given(given) => Event::Queued(given),
                ListItem::End => Event::QueueEnded,
            };
            ending = self.handle(event, views)?;
        }
        Ok(ending)
    }

    fn message(
        &mut self,
        message: Message,
        views: &mut [&mut dyn View],
    ) -> Result<Option<Ending>, Failure> {
        match message {
            Message::Event(event) => self.handle(event, views),
            Message::Wake => Ok(None),
            Message::Stop(ending) => Ok(Some(ending)),
            Message::Broken(failure) => Err(*failure),
        }
    }

    fn handle(
        &mut self,
        event: Event,
        views: &mut [&mut dyn View],
    ) -> Result<Option<Ending>, Failure> {
        let mut ending = None;
        for action in self.checkpoint.handle(event, self.start.elapsed()) {
            match action {
                Action::Inspect(job) => self.inspect(job),
                Action::Record(record) => {
                    if let Some(journal) = &mut self.journal {
                        let policy = self.inspector.policy_name();
                        let line = record.line(Timestamp::now(), policy, journal.salt());
                        journal.append(&line)?;
                    }
                    for view in &mut *views {
                        view.record(&record)?;
                    }
                }
                Action::Finish => ending = Some(Ending::Done),
            }
        }
        Ok(ending)
    }

    /// Inspects a card in the thread of its reader: other readers are served meanwhile, and memory
    /// is used again from card to card.
    fn inspect(&mut self, job: Job) {
        if self.workers.len() >= MAX_LANES && !self.workers.contains_key(&job.reader) {
            // Threads of readers that went away end; those at work end after it.
            self.workers.clear();
        }
        let job = match self.workers.get(&job.reader).map(|worker| worker.send(job.clone())) {
            Some(Ok(())) => return,
            _ => job,
        };
        let (sender, jobs) = channel();
        let (id, reader) = (job.id, job.reader.clone());
        let (post, inspector) = (self.post.clone(), self.inspector.clone());
        let work = move || jobs.iter().all(|job| inspect(&inspector, &job, &post));
        let thread = std::thread::Builder::new().name(INSPECTION_THREAD.to_owned());
        if let Err(error) = thread.spawn(work) {
            let outcome = Outcome::Failed(defect(&error.to_string()));
            self.post.event(Event::Finished { job: id, outcome });
            return;
        }
        // The thread waits for it.
        let _ = sender.send(job);
        self.workers.insert(reader, sender);
    }
}

/// Inspects a card and sends what came of it; false where nobody takes it.
fn inspect(inspector: &Inspector, job: &Job, post: &Post) -> bool {
    let id = job.id;
    let mut progress = |file, bytes| {
        post.event(Event::Progress { job: id, file, bytes });
    };
    // A defect that a card brings to light ends that card, not the checkpoint.
    let inspect = std::panic::AssertUnwindSafe(|| inspector.inspect(job, &mut progress));
    let outcome = std::panic::catch_unwind(inspect)
        .unwrap_or_else(|_| Ok(Outcome::Failed(defect("the inspection gave up"))));
    match outcome {
        Ok(outcome) => post.event(Event::Finished { job: id, outcome }),
        Err(failure) => post.send(Message::Broken(Box::new(failure))),
    }
}

fn defect(detail: &str) -> Trouble {
    Trouble { code: "defect", detail: detail.to_owned(), wrong_access: false }
}
