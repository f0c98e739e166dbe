//! The built binary as a checkpoint: software cards, lines and screen, journal, signals.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::Value;
use support::cancuoc;

/// The record of the specimen holder with a small portrait: pixels are not what is tested here.
fn small_specimen(folder: &Path) -> String {
    let specimens = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen"));
    let portrait = image::open(specimens.join("portrait.jpg")).unwrap();
    portrait.thumbnail(90, 120).into_rgb8().save(folder.join("portrait.jpg")).unwrap();
    std::fs::read_to_string(specimens.join("record.json")).unwrap()
}

/// A genuine card, its clone, and their issuer, made once for all tests of this file.
fn specimens() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let good = |arguments: &[&str]| {
            let mut command = cancuoc();
            let output = command.args(arguments).env("PASSWORD", "correct horse").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let (issuer, password) = (path("issuer"), "env:PASSWORD");
        good(&["pki", "csca", "--out", &issuer, "--password", password]);
        good(&["pki", "ds", "--issuer", &issuer, "--password", password]);
        let record = path("record.json");
        std::fs::write(&record, small_specimen(folder.path())).unwrap();
        for (card, kind) in [("genuine.card", "none"), ("clone.card", "clone")] {
            let (card, common) = (path(card), ["--record", &record, "--issuer", &issuer]);
            good(
                &[&["card", "forge", &card, "--kind", kind, "--password", password], &common[..]]
                    .concat(),
            );
        }
        folder
    });
    folder.path()
}

/// Cards of a test of its own, in a folder of its own.
struct Cards(tempfile::TempDir);

impl Cards {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for card in ["genuine.card", "clone.card"] {
            std::fs::copy(specimens().join(card), folder.path().join(card)).unwrap();
        }
        Self(folder)
    }

    fn lane(&self, card: &str) -> String {
        format!("card:{}", self.path(&format!("{card}.card")).display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A checkpoint with these cards, its journal beside them.
    fn checkpoint(&self, cards: &[&str]) -> Command {
        let mut command = cancuoc();
        command.arg("checkpoint").arg("--trust").arg(specimens().join("issuer"));
        command.arg("--journal").arg(self.path("journal"));
        for card in cards {
            command.arg("--lane").arg(self.lane(card));
        }
        command
    }

    fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("journal")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn verdicts(&self) -> Vec<String> {
        self.journal().iter().map(|line| line["verdict"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits, as long as the checkpoint runs, until so many cards are recorded.
    fn wait_for(&self, count: usize, checkpoint: &mut Child) {
        while self.journal().len() < count {
            assert_eq!(checkpoint.try_wait().unwrap(), None, "the checkpoint ended early");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(mut command: Command) -> (Child, ChildStdin) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped.spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin)
}

/// Memory that a process holds, in kibibytes.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn five_hundred_cards_in_a_row_are_all_judged_and_take_no_more_memory() {
    let cards = Cards::new();
    let (mut child, mut stdin) = start(cards.checkpoint(&["genuine", "clone"]));
    stdin.write_all("000018\n".repeat(100).as_bytes()).unwrap();
    cards.wait_for(100, &mut child);
    let before = resident(child.id());
    stdin.write_all("000018\n".repeat(400).as_bytes()).unwrap();
    cards.wait_for(500, &mut child);
    let after = resident(child.id());
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let journal = cards.journal();
    assert_eq!(journal.len(), 500);
    for line in &journal {
        let genuine = line["reader"].as_str().unwrap().ends_with("genuine.card");
        assert_eq!(line["verdict"], if genuine { "genuine" } else { "forged" }, "{line}");
    }
    println!("resident after 100 cards {before} KiB, after 500 {after} KiB");
    assert!(after * 100 <= before * 105, "{before} KiB grew to {after} KiB");
}

#[test]
fn a_wrong_can_is_not_guessed_and_the_journal_holds_nothing_personal() {
    let cards = Cards::new();
    let (child, mut stdin) = start(cards.checkpoint(&["genuine"]));
    stdin.write_all(b"000018\n000019\n001200000018\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(cards.verdicts(), ["genuine", "unread", "genuine"]);
    let journal = cards.journal();
    assert_eq!(journal[1]["reasons"][0]["code"], "access_password_wrong");
    assert_eq!(journal[0]["document"], journal[2]["document"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let text = std::fs::read_to_string(cards.path("journal")).unwrap();
    for personal in ["001200000018", "000018", "Nguy", "NGUYEN"] {
        assert!(!text.contains(personal) && !lines.contains(personal), "{personal}");
    }
}

#[test]
fn the_journal_survives_a_kill() {
    let cards = Cards::new();
    let (mut child, mut stdin) = start(cards.checkpoint(&["genuine"]));
    stdin.write_all(b"000018\n000018\n").unwrap();
    cards.wait_for(2, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let (child, mut stdin) = start(cards.checkpoint(&["genuine"]));
    stdin.write_all(b"000018\n").unwrap();
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());
    let journal = cards.journal();
    assert_eq!(journal.len(), 3);
    assert_eq!(journal[0]["document"], journal[2]["document"], "the salt is the same");
}

#[test]
fn a_signal_ends_it_with_one_document() {
    let cards = Cards::new();
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--json");
    let (mut child, mut stdin) = start(command);
    stdin.write_all(b"000018\n").unwrap();
    cards.wait_for(1, &mut child);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "cancuoc.checkpoint/1");
    assert_eq!(document["verdicts"]["genuine"], 1);
    drop(stdin);
}

#[test]
fn a_wrong_line_of_a_list_ends_it_before_other_cards_get_its_data() {
    let cards = Cards::new();
    std::fs::write(cards.path("list"), "000018\nhello\n000018\n").unwrap();
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--input").arg(cards.path("list")).arg("--json");
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "checkpoint_list");
    assert!(document["error"]["message"].as_str().unwrap().contains("line 2"));
}

#[test]
fn no_card_is_read_before_its_holder_agrees() {
    let cards = Cards::new();
    std::fs::write(cards.path("list"), "000018\n000018\n").unwrap();
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--input").arg(cards.path("list")).args(["--consent", "law"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    for answer in ["no", "ok"] {
        assert!(said.any(|line| line.contains("26/2023/QH15")), "the notice names the law");
        assert!(said.any(|line| line.starts_with("Does the holder agree?")));
        writeln!(stdin, "{answer}").unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(cards.verdicts(), ["unread", "genuine"]);
    assert_eq!(cards.journal()[0]["reasons"][0]["code"], "consent_refused");
}

/// A terminal, what a program writes to it, and what is typed on it.
struct Tty {
    master: OwnedFd,
    name: PathBuf,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Tty {
    fn open() -> Self {
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

    fn slave(&self) -> File {
        File::options().read(true).write(true).open(&self.name).unwrap()
    }

    fn type_in(&self, text: &str) {
        File::from(self.master.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
    }

    fn shows(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).contains(text)
    }

    fn wait_for(&self, text: &str, child: &mut Child) {
        while !self.shows(text) {
            assert_eq!(child.try_wait().unwrap(), None, "the checkpoint ended early");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn on_terminal(tty: &Tty, command: &mut Command) -> Child {
    let end = || Stdio::from(tty.slave());
    command.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap()
}

#[test]
fn the_screen_shows_verdicts_and_gives_the_terminal_back() {
    let cards = Cards::new();
    let tty = Tty::open();
    let keep_open = tty.slave();
    rustix::termios::tcsetwinsize(
        &tty.master,
        rustix::termios::Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 },
    )
    .unwrap();
    let mut command = cards.checkpoint(&["genuine"]);
    let mut child = on_terminal(&tty, command.args(["--graphics", "kitty"]));
    tty.wait_for("\x1b[?1049h", &mut child);
    tty.wait_for("SCAN", &mut child);
    tty.type_in("000018\r");
    cards.wait_for(1, &mut child);
    tty.wait_for("GENUINE", &mut child);
    tty.wait_for("\x1b_Ga=T,f=100", &mut child);
    tty.type_in("\x03");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    while !tty.shows("\x1b[?1049l") {
        std::thread::sleep(Duration::from_millis(20));
    }
    let modes = tcgetattr(&keep_open).unwrap().local_modes;
    assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
    assert!(tty.shows("\x1b[?25h"), "the cursor is back");
}

#[test]
fn a_serial_scanner_types_lines_and_its_newest_counts() {
    let cards = Cards::new();
    let tty = Tty::open();
    let keep_open = tty.slave();
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--input").arg(&tty.name).args(["--cards", "2"]);
    let (mut child, _stdin) = start(command);
    while tcgetattr(&keep_open).unwrap().local_modes.contains(LocalModes::ECHO) {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(20));
    }
    tty.type_in(
        "IDVNM2000000185001200000018<<6\r0001018F4001016VNM<<<<<<<<<<<0\r\
         NGUYEN<<THI<MAU<<<<<<<<<<<<<<<\r",
    );
    cards.wait_for(1, &mut child);
    // A scan of another card is refused by this one; the scanner is used again.
    tty.type_in("001200000019\r");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(cards.verdicts(), ["genuine", "unread"]);
    assert!(!tty.shows("NGUYEN"), "nothing is echoed back to the scanner");
}

#[test]
fn refuses_a_lane_that_is_not_there() {
    let cards = Cards::new();
    let output = cards.checkpoint(&["nowhere"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(!Path::new(&cards.path("journal")).exists());
}
