//! The modelled contactless link: what it says of published figures, and what an inspection costs on
//! it. Nothing here looks at a clock.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "support/cards.rs"]
mod cards;
#[path = "support/minimum.rs"]
mod minimum;

use cancuoc::softcard::Pacing;
use cancuoc::softcard::air::{AirLink, BitRate};
use cancuoc::terminal::reading::blocks::{BlockSizes, read_command_length, read_response_length};
use cancuoc::terminal::{AccessPlan, ChipReading, ExtendedLength, ReadOptions, read_chip};
use cancuoc_primitives::cipher::BlockCipher;

use cards::{Wanted, image, keys, personalised, random};

/// Milliseconds that reading COM, SOD, DG1, DG13, DG14 and DG2 of 20 687 bytes together takes.
fn six_files(rate: BitRate, extended: Option<usize>) -> u128 {
    let cipher = Some(BlockCipher::Aes128);
    let sizes = BlockSizes::largest(cipher, extended);
    let link = AirLink::new(rate);
    let blocks = [30, 1_900, 95, 362, 300, 18_000].map(|length| sizes.blocks(length));
    let times = blocks.into_iter().flatten().map(|block| {
        let command = read_command_length(cipher, block.extended);
        link.exchange(command, read_response_length(cipher, block.length))
    });
    let time: cancuoc::softcard::air::AirTime = times.sum();
    (time.duration().as_micros() + 500) / 1000
}

#[test]
fn takes_as_long_as_was_computed_by_hand() {
    // 96 commands of 19 bytes and responses of up to 244, each one block: (24 557 + 96·2·3) bytes of
    // 9 bits, 192 frames with 2 bits and 1172 carrier periods each.
    let computed = |periods_per_bit: u64| {
        let bits = (24_557 + 96 * 2 * 3) * 9 + 192 * 2;
        ((bits * periods_per_bit + 192 * 1_172) * 1000 + 6_780_000) / 13_560_000
    };
    let wanted = [128, 64, 32, 16].map(|periods| u128::from(computed(periods)));
    assert_eq!(BitRate::ALL.map(|rate| six_files(rate, None)), wanted);
    assert_eq!(wanted, [2_155, 1_086, 551, 284]);
}

#[test]
fn gains_little_on_the_air_by_extended_length() {
    let times = BitRate::ALL.map(|rate| six_files(rate, Some(65_536)));
    assert_eq!(times, [1_856, 935, 475, 245]);
}

fn inspect_card(extended: ExtendedLength) -> ChipReading {
    let image = image(&Wanted { portrait: 16_000, ..Wanted::default() });
    let link = AirLink::new(BitRate::Kbit424);
    let card = personalised(&image).with_air_link(link, Pacing::Counted);
    // As verify reads: what nobody lists is asked for too.
    let options =
        ReadOptions { probe_unlisted: true, extended_length: extended, ..ReadOptions::default() };
    let plan = AccessPlan::pace(keys());
    read_chip(card, &plan, &options, &mut random(), &mut |_, _| {}).unwrap()
}

/// Commands that an inspection sends besides those it cannot do without: for
/// EF.CardSecurity and for the eleven data groups that nobody lists.
const ASKED: u64 = 1 + 11;

#[test]
fn an_inspection_takes_at_most_a_tenth_more_than_it_must_with_short_commands() {
    let reading = inspect_card(ExtendedLength::Never);
    let least = minimum::minimum(&reading, None);
    assert_eq!(reading.counters.apdus, least.len() as u64 + ASKED);
    check_air_time(&reading, &least);
}

#[test]
fn an_inspection_takes_at_most_a_tenth_more_than_it_must_with_extended_ones() {
    let reading = inspect_card(ExtendedLength::Announced);
    let least = minimum::minimum(&reading, Some(65_536));
    // The length of a file is known from its first block: one command more for each longer file.
    let longer = reading.files.iter().filter_map(|f| f.read.content()).filter(|c| c.len() > 223);
    let more = ASKED + 1 + longer.count() as u64;
    assert_eq!(reading.counters.apdus, least.len() as u64 + more);
    check_air_time(&reading, &least);
}

fn check_air_time(reading: &ChipReading, least: &[minimum::Exchange]) {
    let link = AirLink::new(BitRate::Kbit424);
    let (took, must) = (reading.air.unwrap(), minimum::air_time(&link, least).duration());
    println!("on the air {took:?}, at least {must:?}");
    assert!(must <= took && took * 10 <= must * 11, "{took:?} {must:?}");
}

#[test]
fn the_same_inspection_takes_the_same_time_again() {
    // Another card with other keys: bytes are counted, not computing.
    let [one, other] = [(); 2].map(|()| inspect_card(ExtendedLength::Announced));
    assert!(one.air.is_some());
    assert_eq!(one.air, other.air);
}
