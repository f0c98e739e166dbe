//! From the tap of a card to the verdict, over the model of a contactless link.

use std::path::Path;
use std::time::Duration;

use cancuoc::document::{AccessKeys, Can};
use cancuoc::softcard::air::{AirLink, BitRate};
use cancuoc::softcard::{Pacing, SoftCard};
use cancuoc::terminal::{AccessPlan, ChipReading, ReadOptions, read_chip};

use super::{binary, middle, ms, new_card, random};
use minimum::{air_time, minimum};

#[path = "../../tests/support/minimum.rs"]
mod minimum;

const RUNS: usize = 7;
const RATE: BitRate = BitRate::Kbit424;
/// Longest response of our card.
const EXTENDED: Option<usize> = Some(65_536);

/// What verify reads, without waiting for the link.
fn reading(path: &Path, can: &str) -> ChipReading {
    let card = SoftCard::open(path).unwrap().with_air_link(AirLink::new(RATE), Pacing::Counted);
    let plan = AccessPlan::pace(AccessKeys::from_can(Can::new(can).unwrap()));
    let options = ReadOptions { probe_unlisted: true, ..ReadOptions::default() };
    read_chip(card, &plan, &options, &mut random(), &mut |_, _| {}).unwrap()
}

/// One verification by the binary: milliseconds from the first command to the verdict, and of that on
/// the air.
fn verify(path: &Path, can: &str, trust: &str) -> (f64, f64) {
    let output = binary()
        .args(["--json", "--link", &RATE.kbit().to_string()])
        .arg(format!("--reader=card:{}", path.display()))
        .args(["verify", "--trust", trust, "--can", "env:BENCH_CAN"])
        .env("BENCH_CAN", can)
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["verdict"], "genuine");
    (told["timing_ms"]["total"].as_f64().unwrap(), told["apdus"]["air_ms"].as_f64().unwrap())
}

pub(super) fn measure(folder: &Path) {
    let card = new_card(folder, "can-cuoc-2021");
    let reading = reading(&card.path, &card.can);
    let air = reading.air.unwrap();
    let least = air_time(&AirLink::new(RATE), &minimum(&reading, EXTENDED)).duration();
    println!(
        "tap to verdict at {} kbit/s: {} APDUs, on the modelled air {:.1} ms, at least {:.1} ms; ratio \
         {:.3} (bound 1.1)",
        RATE.kbit(),
        reading.counters.apdus,
        ms(air),
        ms(least),
        air.as_secs_f64() / least.as_secs_f64()
    );
    let runs: Vec<(f64, f64)> =
        (0..RUNS).map(|_| verify(&card.path, &card.can, &card.trust)).collect();
    let rest = |(total, air): &(f64, f64)| Duration::from_secs_f64((total - air).max(0.0) / 1000.0);
    println!(
        "  everything else, card, reader and verdict: {:.1} ms (bound 100 ms); the air as the binary \
         counts it {:.1} ms",
        ms(middle(runs.iter().map(rest).collect())),
        runs[0].1
    );
}
