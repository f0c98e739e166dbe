//! A checkpoint with software cards, and a terminal for its screen or scanner.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // helpers of tests, of which each uses a part

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::support::cancuoc;

/// The record of the specimen holder with a small portrait: pixels are not what is tested here.
fn small_specimen(folder: &Path) -> String {
    let specimens = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen"));
    let portrait = image::open(specimens.join("portrait.jpg")).unwrap();
    portrait.thumbnail(90, 120).into_rgb8().save(folder.join("portrait.jpg")).unwrap();
    std::fs::read_to_string(specimens.join("record.json")).unwrap()
}

/// A genuine card, its clone, and their issuer, made once for all tests of this file.
pub fn specimens() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record.json");
        std::fs::write(&record, small_specimen(folder.path())).unwrap();
        make_cards(folder.path(), &record);
        folder
    });
    folder.path()
}

/// Makes a genuine card of the record, its clone, and their issuer in the folder.
pub fn make_cards(folder: &Path, record: &Path) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let good = |arguments: &[&str]| {
        let mut command = cancuoc();
        let output = command.args(arguments).env("PASSWORD", "correct horse").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (issuer, password) = (path("issuer"), "env:PASSWORD");
    good(&["pki", "csca", "--out", &issuer, "--password", password]);
    good(&["pki", "ds", "--issuer", &issuer, "--password", password]);
    let record = record.to_str().unwrap();
    for (card, kind) in [("genuine.card", "none"), ("clone.card", "clone")] {
        let (card, common) = (path(card), ["--record", record, "--issuer", &issuer]);
        good(
            &[&["card", "forge", &card, "--kind", kind, "--password", password], &common[..]]
                .concat(),
        );
    }
}

/// Cards of a test of its own, in a folder of its own.
pub struct Cards(tempfile::TempDir);

impl Cards {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for card in ["genuine.card", "clone.card"] {
            std::fs::copy(specimens().join(card), folder.path().join(card)).unwrap();
        }
        Self(folder)
    }

    pub fn lane(&self, card: &str) -> String {
        format!("card:{}", self.path(&format!("{card}.card")).display())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A checkpoint with these cards, its journal beside them.
    pub fn checkpoint(&self, cards: &[&str]) -> Command {
        let mut command = cancuoc();
        command.arg("checkpoint").arg("--trust").arg(specimens().join("issuer"));
        command.arg("--journal").arg(self.path("journal"));
        for card in cards {
            command.arg("--lane").arg(self.lane(card));
        }
        command
    }

    pub fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("journal")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn verdicts(&self) -> Vec<String> {
        self.journal().iter().map(|line| line["verdict"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits, as long as the checkpoint runs, until so many cards are recorded.
    pub fn wait_for(&self, count: usize, checkpoint: &mut Child) {
        while self.journal().len() < count {
            assert_eq!(checkpoint.try_wait().unwrap(), None, "the checkpoint ended early");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn start(mut command: Command) -> (Child, ChildStdin) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped.spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

/// A terminal, what a program writes to it, and what is typed on it.
pub struct Tty {
    pub master: OwnedFd,
    pub name: PathBuf,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Tty {
    pub fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut from, to) = (File::from(master.try_clone().unwrap()), screen.clone());
        std::thread::spawn(move || {
            let mut piece = [0; 4_096];
            // Reading fails while nobody has the other end open, and at the end.
            while let Ok(count) = from.read(&mut piece) {
                to.lock().unwrap().extend(&piece[..count]);
            }
        });
        let name = PathBuf::from(name.to_str().unwrap());
        Self { master, name, screen }
    }

    pub fn slave(&self) -> File {
        File::options().read(true).write(true).open(&self.name).unwrap()
    }

    pub fn type_in(&self, text: &str) {
        File::from(self.master.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
    }

    pub fn shows(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).contains(text)
    }

    pub fn wait_for(&self, text: &str, child: &mut Child) {
        while !self.shows(text) {
            assert_eq!(child.try_wait().unwrap(), None, "the checkpoint ended early");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
