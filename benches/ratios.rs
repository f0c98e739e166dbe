//! Measurements as ratios: both sides of each in one run, on this machine.
//!
//! `cargo bench` prints them; `scripts/bench` starts the PC/SC daemon for those that need it.
//! `cargo bench -- foreign` measures whatever card lies in the virtual reader, `cargo bench -- access`
//! PACE and Chip Authentication alone, `cargo bench -- tap` an inspection over a modelled link alone,
//! `cargo bench -- replay` the replay of many evidence files alone, `cargo bench -- trust` a trust folder,
//! `cargo bench -- signing` security objects against bare signatures.
#![allow(clippy::unwrap_used)] // a measurement that cannot be made has nothing to report
#![allow(missing_docs)]

#[path = "ratios/access.rs"]
mod access;
#[path = "ratios/replay.rs"]
mod replay;
#[path = "ratios/signing.rs"]
mod signing;
#[path = "ratios/tap.rs"]
mod tap;
#[path = "ratios/trust.rs"]
mod trust;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cancuoc::apdu::{CommandApdu, Ne};
use cancuoc::document::{AccessKeys, Can};
use cancuoc::softcard::{SoftCard, vpcd};
use cancuoc::terminal::pace::{Pace, PaceParameters, PacePassword};
use cancuoc::terminal::{AccessPlan, ChipReading, ReadOptions, Session, read_chip};
use cancuoc::transport::CardTransport;
use cancuoc::transport::pcsc::PcscCard;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::{sign_prehashed, verify_prehashed};

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// Median time of a few runs.
fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    let run = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    middle((0..runs).map(run).collect())
}

/// The median.
fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cancuoc"));
    command.stderr(Stdio::inherit());
    command
}

/// A card made by the binary.
struct NewCard {
    path: PathBuf,
    can: String,
    /// The folder that holds its issuer's certificate.
    trust: String,
}

fn new_card(folder: &Path, profile: &str) -> NewCard {
    let path = folder.join(format!("{profile}.card"));
    let made = ["card", "new", "--json", "--profile", profile];
    let output = binary().args(made).arg(&path).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    NewCard { path, can: text(&told["access"]["can"]), trust: text(&told["issuer"]["trust"]) }
}

/// A demonstration's files, made by the binary.
fn demo() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let status = binary()
        .args(["demo", "--json"])
        .arg(folder.path().join("demo"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    folder
}

fn read(card: impl CardTransport) -> ChipReading {
    let keys = AccessKeys::from_can(Can::new("000018").unwrap());
    let plan = AccessPlan::pace(keys);
    read_chip(card, &plan, &ReadOptions::default(), &mut random(), &mut |_, _| {}).unwrap()
}

fn start_up() {
    let time = |program: &str, argument: Option<&str>| {
        median(41, || {
            let mut command = Command::new(program);
            command.args(argument).stdout(Stdio::null());
            command.status().unwrap();
        })
    };
    let (own, bare) = (time(env!("CARGO_BIN_EXE_cancuoc"), Some("--version")), time("true", None));
    println!(
        "start-up: cancuoc --version {:.2} ms, true {:.2} ms; bound 2 x true + 5 ms = {:.2} ms",
        ms(own),
        ms(bare),
        2.0 * ms(bare) + 5.0
    );
}

/// The scalar multiplications of PACE, Chip and Active Authentication on both sides: 5 + 5, 2 + 1,
/// signature and verification.
fn bare_primitives() -> Duration {
    let curve = Curve::BrainpoolP256r1;
    let secret = SecretScalar::random(curve, &mut random());
    let point = secret.public_point();
    median(15, || {
        for _ in 0..13 {
            point.multiply(&secret).unwrap();
        }
        let signature = sign_prehashed(&secret, &[7; 32], &mut random()).unwrap();
        verify_prehashed(&point, &[7; 32], &signature).unwrap();
    })
}

fn whole_read(folder: &Path) {
    let path = folder.join("demo/genuine.card");
    let total = median(15, || drop(read(SoftCard::open(&path).unwrap())));
    let bare = bare_primitives();
    println!(
        "open, read, CA, AA in-process, both sides: {:.2} ms; bare curve operations of both sides \
         {:.2} ms; outside of them {:.0} %",
        ms(total),
        ms(bare),
        100.0 * (1.0 - ms(bare) / ms(total)).max(0.0)
    );
    let reading = read(SoftCard::open(&path).unwrap());
    let s = reading.statistics;
    println!(
        "reading: {} APDUs (minimum {}), efficiency {:.4} of {:.4}",
        s.apdus, s.apdus_min, s.efficiency, s.efficiency_bound
    );
}

/// Rates through pcscd, with a card of ours in the virtual reader.
fn pcsc_rates(folder: &Path) {
    let path = folder.join("demo/genuine.card");
    let mut card = SoftCard::open(&path).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let thread = std::thread::spawn(move || {
        let _ = vpcd::serve(&mut card, vpcd::DEFAULT_ADDRESS, &flag, |_| {});
    });
    let end = Instant::now() + Duration::from_secs(10);
    let connected = loop {
        match PcscCard::connect(Some("Virtual PCD 00 00")) {
            Ok(card) => break Some(card),
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(100)),
            Err(_) => break None,
        }
    };
    match connected {
        Some(card) => {
            measure_rates(card);
            let read = || drop(read(PcscCard::connect(Some("Virtual PCD 00 00")).unwrap()));
            println!("the same read through pcscd: {:.2} ms", ms(median(5, read)));
        }
        None => println!("through pcscd: no virtual reader; run scripts/bench"),
    }
    stop.store(true, Ordering::Relaxed);
    let _ = thread.join();
}

fn measure_rates(mut card: PcscCard) {
    const COUNT: usize = 2_000;
    let challenge = [0x00, 0x84, 0x00, 0x00, 0x08];
    let start = Instant::now();
    for _ in 0..COUNT {
        card.transmit(&challenge).unwrap();
    }
    let challenges = COUNT as f64 / start.elapsed().as_secs_f64();
    println!("GET CHALLENGE through pcscd: {challenges:.0} a second");
    if let Some(vicc) = std::env::var("VICC_RATE").ok().and_then(|r| r.parse::<f64>().ok()) {
        println!(
            "  against vicc --type iso7816 at {vicc:.1} a second: {:.0} times",
            challenges / vicc
        );
    }

    let mut session = Session::new(card);
    let access = cancuoc::terminal::access::read_card_access(&mut session).unwrap().unwrap();
    let infos = cancuoc::lds::SecurityInfos::decode("EF.CardAccess", &access).unwrap();
    let parameters = PaceParameters::select(&infos).unwrap();
    let password = PacePassword::Can(Can::new("000018").unwrap());
    let result = session.run(&mut Pace::new(parameters, password, &mut random())).unwrap();
    session.start_secure_messaging(result.secure_messaging);
    let select = CommandApdu::new(0, 0xA4, 4, 0x0C).with_data(cancuoc::lds::LDS1_AID);
    session.transmit(&select).unwrap();
    let block = CommandApdu::new(0, 0xB0, 0x82, 0).with_ne(Ne::new(223));
    let start = Instant::now();
    for _ in 0..COUNT {
        session.transmit(&block).unwrap();
    }
    let reads = COUNT as f64 / start.elapsed().as_secs_f64();
    println!(
        "READ BINARY of 223 bytes under AES through pcscd: {reads:.0} a second, {:.2} of GET CHALLENGE",
        reads / challenges
    );
}

/// The card of another program in the virtual reader, for comparison.
fn foreign_rate() {
    const COUNT: usize = 50;
    let mut card = PcscCard::connect(Some("Virtual PCD 00 00")).unwrap();
    let start = Instant::now();
    for _ in 0..COUNT {
        card.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08]).unwrap();
    }
    let rate = COUNT as f64 / start.elapsed().as_secs_f64();
    println!("GET CHALLENGE of the foreign card through pcscd: {rate:.1} a second");
}

fn main() {
    if std::env::args().any(|a| a == "foreign") {
        return foreign_rate();
    }
    // cargo test runs benchmarks without arguments of its own; there is nothing to measure then.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    if std::env::args().any(|a| a == "trust") {
        return trust::measure(tempfile::tempdir().unwrap().path());
    }
    if std::env::args().any(|a| a == "signing") {
        return signing::measure(tempfile::tempdir().unwrap().path());
    }
    if std::env::args().any(|a| a == "replay") {
        return replay::measure(tempfile::tempdir().unwrap().path());
    }
    let folder = demo();
    for (name, measure) in [("access", access::measure as fn(&Path)), ("tap", tap::measure)] {
        if std::env::args().any(|a| a == name) {
            return measure(folder.path());
        }
    }
    start_up();
    access::measure(folder.path());
    tap::measure(folder.path());
    replay::measure(tempfile::tempdir().unwrap().path());
    trust::measure(tempfile::tempdir().unwrap().path());
    signing::measure(tempfile::tempdir().unwrap().path());
    whole_read(folder.path());
    std::thread::sleep(Duration::from_secs(2));
    pcsc_rates(folder.path());
}
