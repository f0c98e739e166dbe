//! Chains as stations make them, and as somebody who has something to hide leaves them.

use std::io::Cursor;
use std::sync::LazyLock;

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorCode;
use crate::lds::{PublicKey, SignatureAlgorithm};
use crate::pki::{KeyKind, Signer, SignerError, SoftwareKey};
use crate::production::Digest;

const STATION: &str = "S01";

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap()
}

static KEY: LazyLock<SoftwareKey> = LazyLock::new(key);

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn act(second: i64) -> Act {
    Act::new(time(second), STATION, "card_advanced")
        .in_run("R1")
        .of_record(format!("REC-{second}"))
        .with("to", "written")
        .with("attempt", 1)
}

fn sealer(station: &str, key: &SoftwareKey) -> Sealer {
    Sealer::new(station, Box::new(key.clone())).unwrap()
}

/// The entry after another, sealed at a second.
fn next(sealer: &Sealer, after: Option<&SealedEntry>, second: i64) -> SealedEntry {
    let head = after.map(SealedEntry::head);
    sealer.seal(head.as_ref(), vec![act(second), act(second)], time(second), &mut random()).unwrap()
}

fn chain_of(sealer: &Sealer, count: i64) -> Vec<SealedEntry> {
    let mut entries: Vec<SealedEntry> = Vec::new();
    for second in 0..count {
        entries.push(next(sealer, entries.last(), second));
    }
    entries
}

static CHAIN: LazyLock<Vec<SealedEntry>> = LazyLock::new(|| chain_of(&sealer(STATION, &KEY), 6));

fn keys() -> StationKeys {
    let mut keys = StationKeys::default();
    keys.insert(Some(STATION), KEY.public_key());
    keys
}

fn anchor_at(entry: &SealedEntry) -> Anchors {
    let mut anchors = Anchors::default();
    anchors.insert(&entry.head()).unwrap();
    anchors
}

fn file(entries: &[SealedEntry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [entry.line(), b"\n".to_vec()].concat()).collect()
}

fn verify(file: &[u8], anchors: &Anchors) -> Verification {
    let keys = keys();
    let mut verifier = Verifier::new(&keys, anchors);
    Lines::new(Cursor::new(file)).for_each(|line| verifier.line(line.unwrap()));
    verifier.finish()
}

fn verify_rows(rows: &[SealedEntry]) -> Verification {
    let (keys, anchors) = (keys(), anchor_at(CHAIN.last().unwrap()));
    let mut verifier = Verifier::new(&keys, &anchors);
    rows.iter().for_each(|row| verifier.row(row.clone()));
    verifier.finish()
}

/// Codes of what is found in entries, with the last of the whole chain as anchor.
fn codes(entries: &[SealedEntry]) -> Vec<&'static str> {
    let verification = verify(&file(entries), &anchor_at(CHAIN.last().unwrap()));
    verification.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_whole_chain_is_intact() {
    let verification = verify(&file(&CHAIN), &anchor_at(&CHAIN[5]));
    assert_eq!(verification.findings, []);
    assert_eq!(verification.verdict(false), Verdict::Intact);
    let station = &verification.stations[STATION];
    assert_eq!((station.entries, station.acts, station.first), (6, 12, 1));
    assert_eq!(station.head, CHAIN[5].head());
    assert_eq!(verify_rows(&CHAIN).verdict(false), Verdict::Intact);
}

#[test]
fn chains_of_two_stations_may_be_interleaved() {
    let (other_key, mut keys) = (key(), keys());
    keys.insert(Some("S02"), other_key.public_key());
    let other = chain_of(&sealer("S02", &other_key), 6);
    let mut anchors = anchor_at(&CHAIN[5]);
    anchors.insert(&other[5].head()).unwrap();
    let mut verifier = Verifier::new(&keys, &anchors);
    for (one, two) in CHAIN.iter().zip(&other) {
        verifier.row(one.clone());
        verifier.row(two.clone());
    }
    assert_eq!(verifier.finish().verdict(false), Verdict::Intact);
}

#[test]
fn an_entry_left_out_is_a_gap() {
    for left_out in 0..5 {
        let mut entries = CHAIN.clone();
        entries.remove(left_out);
        assert_eq!(codes(&entries), ["audit_gap"], "{left_out}");
    }
}

#[test]
fn entries_cut_off_at_the_end_are_missed_by_the_anchor() {
    for end in 0..6 {
        assert_eq!(codes(&CHAIN[..end]), ["audit_truncated"], "{end}");
    }
}

#[test]
fn entries_that_changed_places_are_found() {
    for place in 0..5 {
        let mut entries = CHAIN.clone();
        entries.swap(place, place + 1);
        let found = codes(&entries);
        assert!(
            found.contains(&"audit_gap") && found.contains(&"audit_order"),
            "{place} {found:?}"
        );
    }
}

#[test]
fn an_entry_that_stands_twice_is_found() {
    for place in 0..6 {
        let mut entries = CHAIN.clone();
        entries.insert(place, CHAIN[place].clone());
        assert_eq!(codes(&entries), ["audit_order"], "{place}");
    }
}

#[test]
fn an_entry_made_anew_with_the_stations_key_breaks_the_link() {
    let mut entries = CHAIN.clone();
    entries[2] = next(&sealer(STATION, &KEY), Some(&CHAIN[1]), 9);
    assert_eq!(codes(&entries), ["audit_link", "audit_time_back"]);
}

#[test]
fn a_chain_made_anew_with_the_stations_key_contradicts_the_anchor() {
    let entries = chain_of(&sealer(STATION, &KEY), 7);
    let anchors = anchor_at(&next(&sealer(STATION, &KEY), Some(&CHAIN[4]), 99));
    let verification = verify(&file(&entries), &anchors);
    let codes: Vec<_> = verification.findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["audit_anchor_mismatch"]);
    assert_eq!(verification.verdict(true), Verdict::Broken);
}

#[test]
fn an_entry_of_an_unknown_key_is_found() {
    let mut entries = CHAIN[..5].to_vec();
    entries.push(next(&sealer(STATION, &key()), entries.last(), 5));
    let verification = verify(&file(&entries), &Anchors::default());
    let codes: Vec<_> = verification.findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["audit_key"]);
}

#[test]
fn the_key_of_one_station_speaks_for_no_other() {
    let chain = chain_of(&sealer("S02", &KEY), 2);
    let verification = verify(&file(&chain), &Anchors::default());
    assert!(verification.findings.iter().all(|f| f.code == "audit_key"));
    assert_eq!(verification.findings.len(), 2);
}

#[test]
fn a_signature_of_another_entry_is_found() {
    let mut entries = CHAIN.clone();
    entries[3].signature.clone_from(&CHAIN[4].signature);
    assert_eq!(codes(&entries), ["audit_signature"]);
}

#[test]
fn columns_that_say_other_than_the_entry_are_found() {
    let mut rows = CHAIN.clone();
    rows[3].sequence = 9;
    rows[4].hash = Digest::ZERO;
    let codes: Vec<_> = verify_rows(&rows).findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["audit_row", "audit_hash"]);
}

#[test]
fn a_clock_that_steps_back_is_told_once() {
    let sealer = sealer(STATION, &KEY);
    let mut entries: Vec<SealedEntry> = Vec::new();
    for second in [10, 20, 5, 6, 7] {
        entries.push(next(&sealer, entries.last(), second));
    }
    let verification = verify(&file(&entries), &anchor_at(&entries[4]));
    let found: Vec<_> = verification.findings.iter().map(|f| (f.code, f.sequence)).collect();
    assert_eq!(found, [("audit_time_back", Some(3))]);
    assert_eq!(verification.verdict(false), Verdict::Intact, "a warning breaks no chain");
}

#[test]
fn without_an_anchor_the_end_is_unknown() {
    let verification = verify(&file(&CHAIN[..4]), &Anchors::default());
    assert_eq!(verification.verdict(false), Verdict::Inconclusive);
    assert_eq!(verification.verdict(true), Verdict::Intact);
}

#[test]
fn without_keys_nothing_is_intact() {
    let (keys, anchors) = (StationKeys::default(), anchor_at(&CHAIN[5]));
    let mut verifier = Verifier::new(&keys, &anchors);
    CHAIN.iter().for_each(|row| verifier.row(row.clone()));
    let verification = verifier.finish();
    assert_eq!(verification.findings, []);
    assert_eq!(verification.verdict(true), Verdict::Inconclusive);
}

#[test]
fn an_end_that_the_keeper_tells_must_be_true_but_anchors_nothing() {
    let verify = |rows: &[SealedEntry]| {
        let (keys, anchors) = (keys(), Anchors::default());
        let mut verifier = Verifier::new(&keys, &anchors);
        rows.iter().for_each(|row| verifier.row(row.clone()));
        verifier.ends_with(CHAIN[5].head());
        verifier.finish()
    };
    assert_eq!(verify(&CHAIN).verdict(false), Verdict::Inconclusive);
    assert_eq!(verify(&CHAIN).verdict(true), Verdict::Intact);
    assert_eq!(verify(&CHAIN[..5]).verdict(true), Verdict::Broken);
}

#[test]
fn an_empty_file_is_inconclusive() {
    let verification = verify(b"", &Anchors::default());
    assert_eq!(verification.verdict(true), Verdict::Inconclusive);
}

#[test]
fn a_part_of_a_chain_is_verified_from_an_anchor_on() {
    let mut anchors = anchor_at(&CHAIN[5]);
    anchors.insert(&CHAIN[2].head()).unwrap();
    assert_eq!(verify(&file(&CHAIN[3..]), &anchors).verdict(false), Verdict::Intact);
    assert_eq!(verify(&file(&CHAIN[4..]), &anchors).verdict(false), Verdict::Broken);
}

#[test]
fn a_line_that_is_none_is_told_by_its_number() {
    let mut bytes = file(&CHAIN);
    bytes.extend(b"{}\n");
    bytes.extend(vec![b'x'; 3 * MAX_ENTRY]);
    bytes.push(b'\n');
    let verification = verify(&bytes, &anchor_at(&CHAIN[5]));
    let found: Vec<_> = verification.findings.iter().map(|f| (f.code, f.place)).collect();
    assert_eq!(found, [("audit_line", Some(7)), ("audit_line", Some(8))]);
    assert_eq!(verification.lines, 8);
}

#[test]
fn findings_are_counted_beyond_a_thousand() {
    let verification = verify(&b"?\n".repeat(3_000), &Anchors::default());
    assert_eq!((verification.findings.len(), verification.left_out), (1_000, 2_000));
    assert_eq!(verification.verdict(true), Verdict::Broken);
}

#[test]
fn an_entry_follows_its_own_head_alone() {
    let heads: Vec<Head> = CHAIN.iter().map(SealedEntry::head).collect();
    assert!(CHAIN[0].follows(None) && CHAIN[3].follows(Some(&heads[2])));
    assert!(!CHAIN[3].follows(None) && !CHAIN[3].follows(Some(&heads[1])));
    assert!(!CHAIN[3].follows(Some(&heads[3])) && !CHAIN[0].follows(Some(&heads[0])));
}

/// A key store that signs something else.
struct Wrong(Result<(), SignerError>);

impl Signer for Wrong {
    fn algorithm(&self) -> SignatureAlgorithm {
        KEY.algorithm()
    }

    fn public_key(&self) -> PublicKey {
        KEY.public_key()
    }

    fn sign(&self, _: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        self.0.clone()?;
        KEY.sign(b"something else", random)
    }
}

#[test]
fn a_wrong_signature_of_a_key_store_seals_nothing() {
    let sealer = Sealer::new(STATION, Box::new(Wrong(Ok(())))).unwrap();
    let sealed = sealer.seal(None, vec![act(1)], time(1), &mut random());
    assert_eq!(sealed, Err(AuditError::Signer(SignerError::Key)));
}

#[test]
fn a_key_store_that_is_gone_seals_nothing() {
    let gone = SignerError::Unavailable("no slot".to_owned());
    let sealer = Sealer::new(STATION, Box::new(Wrong(Err(gone)))).unwrap();
    let sealed = sealer.seal(None, vec![act(1)], time(1), &mut random());
    assert_eq!(sealed.unwrap_err().code(), "key_store_unavailable");
}

#[test]
fn what_no_entry_may_hold_is_not_sealed() {
    let sealer = sealer(STATION, &KEY);
    let refused = |acts: Vec<Act>| sealer.seal(None, acts, time(1), &mut random()).unwrap_err();
    let field = |field, reason| AuditError::Field { field, reason };
    assert_eq!(refused(vec![]), field("acts", "not 1 to 64"));
    assert_eq!(refused(vec![act(1); 65]), field("acts", "not 1 to 64"));
    assert_eq!(refused(vec![act(1).on("a\nb")]).code(), "audit_entry_field");
    assert_eq!(refused(vec![act(1).with("a b", 1)]).code(), "audit_entry_field");
    assert_eq!(refused(vec![act(1).with("a", "x".repeat(513))]).code(), "audit_entry_field");
    let many = (0..65).fold(act(1), |act, n| act.with(&format!("f{n}"), n));
    assert_eq!(refused(vec![many]), field("acts.facts", "more than 64"));
    let large = (0..14).fold(act(1), |act, n| act.with(&format!("f{n}"), "x".repeat(512)));
    assert_eq!(refused(vec![large; 64]), AuditError::TooLong);
    assert!(Sealer::new("S 1", Box::new(KEY.clone())).is_err());
}

#[test]
fn an_entry_in_another_form_of_the_same_data_is_none() {
    let text = String::from_utf8(CHAIN[1].bytes.clone()).unwrap();
    let others = [
        text.replacen(':', ": ", 1),
        text.replacen("\"to\":\"written\"", "\"to\":\"x\",\"to\":\"written\"", 1),
        text.replacen("REC", "\\u0052EC", 1),
        text.replacen("Z\"", ".000Z\"", 1),
    ];
    assert!(Entry::decode(text.as_bytes()).is_ok());
    for other in others {
        assert_ne!(other, text);
        assert_eq!(Entry::decode(other.as_bytes()), Err(AuditError::NotCanonical), "{other}");
    }
}

#[test]
fn finer_than_microseconds_is_cut_before_it_is_signed() {
    let fine = time(1) + SignedDuration::from_nanos(1_234_567);
    let act = Act::new(fine, STATION, "x");
    let sealed = sealer(STATION, &KEY).seal(None, vec![act], fine, &mut random()).unwrap();
    let entry = Entry::decode(&sealed.bytes).unwrap();
    assert_eq!(entry.time, time(1) + SignedDuration::from_micros(1_234));
}

#[test]
fn anchors_are_read_as_they_were_written() {
    let mut anchors = anchor_at(&CHAIN[5]);
    anchors.insert(&CHAIN[2].head()).unwrap();
    anchors.insert(&Head { station: "hall:1/0".to_owned(), ..CHAIN[1].head() }).unwrap();
    assert_eq!(Anchors::decode(anchors.encode().as_bytes()), Ok(anchors.clone()));
    let lines: String = anchors.heads().map(|head| format!("{head}\n")).collect();
    assert_eq!(Anchors::decode(lines.as_bytes()), Ok(anchors.clone()));
    let contradiction = Head { hash: Digest::ZERO, ..CHAIN[2].head() };
    assert!(anchors.insert(&contradiction).is_err());
}

#[test]
fn filters_pick_acts() {
    let wanted = |filter: Filter| filter.fits(&act(5));
    let some = |text: &str| Some(text.to_owned());
    assert!(wanted(Filter::default()));
    assert!(wanted(Filter { act: some("card_*"), run: some("R1"), ..Filter::default() }));
    assert!(!wanted(Filter { act: some("card"), ..Filter::default() }));
    assert!(!wanted(Filter { subject: some("REC-6"), ..Filter::default() }));
    assert!(wanted(Filter { since: Some(time(5)), until: Some(time(5)), ..Filter::default() }));
    assert!(!wanted(Filter { since: Some(time(6)), ..Filter::default() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_byte_changed_anywhere_is_found(place in any::<prop::sample::Index>(), bits in 1u8..=255) {
        let mut bytes = file(&CHAIN);
        // Without the end of the last line, which means nothing.
        let place = place.index(bytes.len() - 1);
        bytes[place] ^= bits;
        let verification = verify(&bytes, &anchor_at(&CHAIN[5]));
        prop_assert_eq!(verification.verdict(true), Verdict::Broken);
    }

    #[test]
    fn any_bytes_are_no_line(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SealedEntry::decode_line(&bytes).is_err());
    }

    #[test]
    fn a_line_with_anything_in_it_is_read_or_refused(text in "[ -~]{0,80}", place in any::<prop::sample::Index>()) {
        let mut line = CHAIN[1].line();
        let place = place.index(line.len());
        line.splice(place..place, text.into_bytes());
        if let Ok((sealed, entry)) = SealedEntry::decode_line(&line) {
            prop_assert_eq!(entry.encode().unwrap(), sealed.bytes);
        }
    }

    #[test]
    fn what_is_sealed_is_read_again(
        subject in "[A-Za-z0-9._:/-]{1,128}", name in "[a-z._-]{1,64}", number in any::<i64>(),
        text in "\\PC{1,100}", micros in 0i64..4_000_000_000_000_000,
    ) {
        let when = Timestamp::from_microsecond(micros).unwrap();
        let act = Act::new(when, "A", name.clone()).on(subject).with(&name, text).with("n", number);
        let sealed = sealer(STATION, &KEY).seal(None, vec![act.clone()], when, &mut random()).unwrap();
        let (again, entry) = SealedEntry::decode_line(&sealed.line()).unwrap();
        prop_assert_eq!(again, sealed);
        prop_assert_eq!(entry.acts, vec![act]);
    }
}
