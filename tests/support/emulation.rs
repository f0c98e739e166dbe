//! A card in a virtual PC/SC reader.

#![allow(clippy::expect_used)] // a test without its card has failed

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{cancuoc, wait_until};

/// `cancuoc emulate` on a card, ended when dropped.
pub struct Emulation(Child);

impl Emulation {
    /// Plugs the card in and waits until it is seen.
    pub fn start(card: &Path) -> Self {
        Self::start_with(card, &[])
    }

    /// The same with more options.
    pub fn start_with(card: &Path, options: &[&str]) -> Self {
        let mut command = cancuoc();
        command.arg("emulate").arg(card).args(options).stdout(Stdio::null());
        let child = command.spawn().expect("cancuoc runs");
        let emulation = Self(child);
        assert!(wait_until(card_present), "the card does not appear in the reader");
        emulation
    }
}

impl Emulation {
    /// Tears the card out, whatever is being sent to it: the program would end the exchange first.
    pub fn tear_out(mut self) {
        self.0.kill().expect("the emulation runs");
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
        wait_until(|| !card_present());
        // The daemon looks at a reader without a card twice a second; a card that comes within one
        // look is the old one to it.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
}

fn card_present() -> bool {
    any_reader(|reader| reader["atr"].is_string())
}

/// Whether a program works with the card just now.
pub fn card_in_use() -> bool {
    any_reader(|reader| reader["in_use"] == true)
}

/// Whether one of the readers is so; nothing is sent to the cards.
fn any_reader(is_so: impl Fn(&serde_json::Value) -> bool) -> bool {
    let output = cancuoc().args(["readers", "--no-ask", "--json"]).output().expect("cancuoc runs");
    let document: serde_json::Value = match serde_json::from_slice(&output.stdout) {
        Ok(document) => document,
        Err(_) => return false,
    };
    document["readers"].as_array().is_some_and(|list| list.iter().any(is_so))
}
