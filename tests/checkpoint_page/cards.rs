//! The built binary with software cards, its page in a browser.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::browser::{Browser, ENTER, ESCAPE, F2, F3};
use crate::checkpoint::make_cards;
use crate::support::{Emulation, PcscStack, cancuoc};

/// Cards with the whole portrait, for pictures are made of it.
fn specimens() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let record = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/record.json");
        make_cards(folder.path(), Path::new(record));
        folder
    });
    folder.path()
}

/// A checkpoint with a page, ended when dropped.
struct Checkpoint {
    child: Child,
    url: String,
}

impl Checkpoint {
    /// Starts one in Vietnamese with these arguments, in the folder of the cards.
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cancuoc"));
        command.env_remove("CANCUOC_READER").args(["--lang", "vi", "checkpoint"]);
        command.args(["--web", "127.0.0.1:0", "--trust"]).arg(specimens().join("issuer"));
        command.args(arguments).stdin(Stdio::null()).current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{line}");
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { child, url }
    }

    fn signal(&self, name: &str) {
        Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap();
    }

    /// Ends it; its standard output and its exit code.
    fn end(&mut self) -> (String, Option<i32>) {
        self.signal("-INT");
        let mut lines = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut lines).unwrap();
        (lines, self.child.wait().unwrap().code())
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a picture of the whole page for the documents, where that was asked for.
fn picture(browser: &Browser, name: &str) {
    if std::env::var_os("CANCUOC_WRITE_PICTURES").is_none() {
        return;
    }
    let height = |browser: &Browser| browser.run("return document.documentElement.scrollHeight");
    browser.resize(1_100, 480);
    browser.resize(1_100, u32::try_from(height(browser).as_u64().unwrap()).unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), browser.screenshot()).unwrap();
}

fn tone(browser: &Browser) -> String {
    let tone = browser.run("return document.querySelector('.lane')?.dataset.tone ?? ''");
    tone.as_str().unwrap().to_owned()
}

fn portrait_is_drawn(browser: &Browser) -> bool {
    browser.run("return document.querySelector('.portrait').width > 0") == true
}

#[test]
fn a_person_at_the_page_sees_card_after_card_and_when_the_reader_goes() {
    let Some(mut stack) = PcscStack::take() else { return };
    let Some(browser) = Browser::start() else { return };
    let mut checkpoint = Checkpoint::start(specimens(), &["--lane", "Virtual PCD 00 00"]);
    browser.open(&checkpoint.url);
    browser.wait_for(".headline", "LAY ON A CARD");

    // As slow as a contactless link, so that reading is seen.
    let link = ["--link", "424"];
    let genuine = Emulation::start_with(&specimens().join("genuine.card"), &link);
    browser.wait_for(".headline", "SCAN THE CARD");
    browser.press(&format!("001200000018{ENTER}"));
    browser.wait_for(".headline", "READING");
    browser.wait("the verdict genuine", || tone(&browser) == "good");
    assert!(browser.text(".headline").contains("GENUINE"));
    assert_eq!(browser.text(".holder-name"), "Nguyễn Thị Mẫu");
    assert_eq!(browser.text(".holder-number"), "001200000018");
    assert!(browser.text(".took").contains(" s"));
    browser.wait("the portrait", || portrait_is_drawn(&browser));
    picture(&browser, "checkpoint-genuine.png");
    drop(genuine);
    browser.wait_for(".line", "The card was taken off");
    assert_eq!(tone(&browser), "good");

    let clone = Emulation::start(&specimens().join("clone.card"));
    browser.wait_for(".headline", "SCAN THE CARD");
    assert!(!browser.text("body").contains("Nguyễn") && !portrait_is_drawn(&browser));
    browser.press(&format!("001200000018{ENTER}"));
    browser.wait("the verdict not genuine", || tone(&browser) == "bad");
    browser.wait_for(".headline", "NOT GENUINE");
    assert!(browser.text(".reasons").contains("Chip Authentication"));
    browser.wait("the portrait", || portrait_is_drawn(&browser));
    picture(&browser, "checkpoint-forged.png");
    drop(clone);

    let torn = Emulation::start_with(&specimens().join("genuine.card"), &link);
    browser.wait_for(".headline", "SCAN THE CARD");
    browser.press(&format!("001200000018{ENTER}"));
    browser.wait_for(".headline", "READING");
    torn.tear_out();
    browser.wait_for(".headline", "NOT READ");
    assert_eq!(tone(&browser), "doubt");
    browser.press(ESCAPE);
    browser.wait_for(".headline", "LAY ON A CARD");
    assert!(!browser.text("body").contains("Nguyễn") && !portrait_is_drawn(&browser));

    let restarted = stack.restart(|| {
        browser.wait_for(".headline", "NO READER");
        browser.wait_for("#no-service", "PC/SC");
        picture(&browser, "checkpoint-no-reader.png");
    });
    // A daemon that ran before is somebody else's; in continuous integration it is ours always.
    assert!(restarted || std::env::var_os("CI").is_none());
    browser.wait_for(".headline", "LAY ON A CARD");
    assert_eq!(browser.complaints(), [""; 0]);
    // A program that hangs shows nothing, and goes on where it went.
    checkpoint.signal("-STOP");
    browser.wait_for("#lost", "NO CONNECTION");
    assert!(browser.text("#lanes").is_empty());
    checkpoint.signal("-CONT");
    browser.wait("the link stands again", || !browser.text(".headline").is_empty());

    let (lines, code) = checkpoint.end();
    assert_eq!((lines.lines().count(), code), (3, Some(130)), "{lines}");
    assert!(!lines.contains("001200000018") && !lines.contains("Nguy"), "{lines}");
    browser.wait_for("#lost", "NO CONNECTION");
}

#[test]
fn no_card_is_read_before_its_holder_agrees_on_the_page() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let card = "genuine.card";
    std::fs::copy(specimens().join(card), folder.path().join(card)).unwrap();
    let options = ["--lane", "card:genuine.card", "--consent", "law"];
    let mut checkpoint = Checkpoint::start(folder.path(), &options);
    browser.open(&checkpoint.url);
    browser.wait_for(".headline", "SCAN THE CARD");
    browser.press(&format!("000018{ENTER}"));
    browser.wait_for(".headline", "ASK THE HOLDER");
    for notice in ["Bạn có quyền từ chối", "You may refuse"] {
        assert!(browser.text(".notice-text").contains(notice), "{notice}");
    }
    picture(&browser, "checkpoint-consent.png");
    browser.press(F3);
    browser.wait_for(".headline", "NOT READ");
    assert!(!browser.text("body").contains("Nguyễn"));
    browser.press(&format!("000018{ENTER}"));
    browser.wait_for(".headline", "ASK THE HOLDER");
    browser.press(F2);
    browser.wait("the verdict genuine", || tone(&browser) == "good");
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(checkpoint.end().1, Some(130));
}

/// Runs a checkpoint that shall refuse its options.
fn refused(arguments: &[&str]) -> (Output, Value) {
    let mut command = cancuoc();
    command.args(["--json", "checkpoint", "--trust"]).arg(specimens().join("issuer"));
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (output, document)
}

#[test]
fn other_machines_are_let_in_only_where_that_is_said() {
    let (output, document) = refused(&["--web", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(document["error"]["code"], "web_remote");
}

fn status(address: &str, token: &str) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let bearer = format!("Bearer {token}");
    let answer = agent.get(format!("{address}events")).header("Authorization", bearer).call();
    answer.unwrap().status().as_u16()
}

#[test]
fn a_token_that_is_kept_opens_the_page_again_and_is_written_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("token");
    let file = path.to_str().unwrap();
    let options = ["--lane", "card:genuine.card", "--web-token", file];
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let mut checkpoint = Checkpoint::start(specimens(), &options);
        assert!(!checkpoint.url.contains('#'));
        let token = std::fs::read_to_string(&path).unwrap().trim().to_owned();
        assert_eq!(status(&checkpoint.url, &token), 200);
        assert_eq!(status(&checkpoint.url, &"0".repeat(64)), 401);
        assert_eq!(checkpoint.end().1, Some(130));
        tokens.push(token);
    }
    assert_eq!(tokens[0], tokens[1]);
    std::fs::write(&path, "short").unwrap();
    let (output, document) = refused(&["--web", "127.0.0.1:0", "--web-token", file]);
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(document["error"]["code"], "web_token_malformed");
}
