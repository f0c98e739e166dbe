//! The built binary as a checkpoint: software cards, lines and screen, journal, signals.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

#[path = "support/checkpoint.rs"]
mod checkpoint;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use checkpoint::{Cards, Tty, start};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::Value;

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
        assert!(said.any(|line| line.starts_with("Does the holder of the card on card:")));
        writeln!(stdin, "{answer}").unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(cards.verdicts(), ["unread", "genuine"]);
    assert_eq!(cards.journal()[0]["reasons"][0]["code"], "consent_refused");
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
    assert!(!cards.path("journal").exists());
}

#[test]
fn keeps_evidence_of_each_card_under_names_that_tell_nothing_of_its_holder() {
    use std::os::unix::fs::PermissionsExt;
    let cards = Cards::new();
    let (folder, trust) = (cards.path("cases"), checkpoint::specimens().join("issuer"));
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--evidence").arg(&folder).args(["--evidence-key"]).arg(trust.join("ds.key"));
    command.args(["--evidence-password", "env:PASSWORD"]).env("PASSWORD", "correct horse");
    let (child, mut stdin) = start(command);
    // The last one opens no card, and there is nothing to keep.
    stdin.write_all(b"000018\n000018\n000019\n").unwrap();
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());
    let journal = cards.journal();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    for (name, line) in names.iter().zip(&journal) {
        let number = line["document"].as_str().unwrap();
        assert!(name.contains(&format!("Z-{number}")), "{name} {line}");
        let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mut replay = support::cancuoc();
    replay.args(["--json", "verify", "--replay"]).arg(&folder).arg("--trust").arg(&trust);
    let replay = replay.arg("--evidence-signer").arg(trust.join("ds.crt")).output().unwrap();
    let document: Value = serde_json::from_slice(&replay.stdout).unwrap();
    assert_eq!(document["verdicts"]["genuine"], 2, "{document}");
    assert_eq!(document["warned"], 0);
}

#[test]
fn without_evidence_that_was_asked_for_no_card_passes() {
    let cards = Cards::new();
    std::fs::write(cards.path("file"), "").unwrap();
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--evidence").arg(cards.path("file"));
    let (child, stdin) = start(command);
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(6));
    // The folder goes while it stands and waits.
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--evidence").arg(cards.path("cases"));
    let (mut child, mut stdin) = start(command);
    stdin.write_all(b"000018\n").unwrap();
    cards.wait_for(1, &mut child);
    std::fs::remove_dir_all(cards.path("cases")).unwrap();
    stdin.write_all(b"000018\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(8));
    assert_eq!(cards.verdicts(), ["genuine"]);
}

#[test]
fn a_notice_that_says_that_nothing_is_stored_does_not_go_with_evidence() {
    let cards = Cards::new();
    let mut command = cards.checkpoint(&["genuine"]);
    command.arg("--evidence").arg(cards.path("cases")).args(["--consent", "law"]);
    let (child, stdin) = start(command);
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(2));
    assert!(!cards.path("cases").exists());
}
