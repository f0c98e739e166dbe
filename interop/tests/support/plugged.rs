//! A software card in the virtual reader of the PC/SC stack.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cancuoc::softcard::{SoftCard, vpcd};

/// A card plugged into the first virtual reader until this is dropped.
pub struct Plugged {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Plugged {
    /// Plugs the card held in a file in.
    pub fn new(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let serve = move || {
            let mut card = SoftCard::open(&path).unwrap();
            vpcd::serve(&mut card, vpcd::DEFAULT_ADDRESS, &flag, |_| {}).unwrap();
        };
        Self { stop, thread: Some(std::thread::spawn(serve)) }
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
