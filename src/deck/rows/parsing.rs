//! N42: data objects that are none, in every file.

use crate::apdu::tlv::{Tag, encode};
use crate::deck::entry::{failed, skipped, unsupported};
use crate::deck::workshop::Workshop;
use crate::deck::{Card, DeckError, Entry};
use crate::issue::Location;
use crate::lds::FileId;
use crate::softcard::misbehaviour::{Act, When, WrongContent};

type Made = Result<Card, DeckError>;

const HASHES: &str = "pa.hashes";
const STRUCTURE: &str = "pa.sod_structure";
const DG1_DG13: &str = "consistency.dg1_dg13";

/// How deep data objects are nested.
const DEPTH: usize = 10_000;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::aborted("N42-length-4g-sod", "card_limit_exceeded", |w| {
        sod(w, vec![0x77, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x30, 0x00])
    }),
    Entry::aborted("N42-length-4g-dg13", "card_limit_exceeded", |w| {
        group(w, 13, &[0x6D, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x30, 0x00])
    }),
    Entry::aborted("N42-length-4g-card-access", "card_limit_exceeded", |w| {
        card_access(w, vec![0x31, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x30, 0x00])
    }),
    Entry::aborted("N42-indefinite-card-access", "card_file_malformed", |w| {
        card_access(w, vec![0x31, 0x80, 0x30, 0x00, 0x00, 0x00])
    }),
    Entry::forged("N42-indefinite-sod", &[failed(STRUCTURE, "sod_malformed")], |w| {
        let mut content = w.card().file(Location::Lds1, FileId::SOD)?[4..].to_vec();
        content.extend([0, 0]);
        sod(w, [&[0x77, 0x80], &content[..]].concat())
    }),
    Entry::forged("N42-indefinite-dg1", &[failed(HASHES, "dg_unreadable")], |w| {
        let content = w.card().group(1)?[2..].to_vec();
        group(w, 1, &[&[0x61, 0x80], &content[..], &[0, 0]].concat())
    }),
    Entry::forged("N42-past-end-dg2", &[failed(HASHES, "dg_unreadable")], |w| {
        let mut dg2 = w.card().group(2)?.clone();
        dg2.truncate(dg2.len() - 1_000);
        group(w, 2, &dg2)
    }),
    Entry::forged("N42-past-end-sod", &[failed(STRUCTURE, "sod_malformed")], |w| {
        let mut content = w.card().file(Location::Lds1, FileId::SOD)?.clone();
        content.truncate(content.len() - 20);
        sod(w, content)
    }),
    Entry::forged("N42-endless-tag", &[failed(HASHES, "dg_unreadable")], |w| {
        group(w, 13, &[&[0x7F], &[0xFF; 300][..]].concat())
    }),
    Entry::forged("N42-empty-value-sod", &[failed(STRUCTURE, "sod_malformed")], |w| {
        sod(w, vec![0x77, 0x00])
    }),
    Entry::aborted("N42-empty-file", "card_limit_exceeded", |w| {
        let nothing = WrongContent::Answer { data: Vec::new(), status: 0x9000 };
        Ok(w.card().misbehaving(When::ins(0xB0).p1(0x8D), Act::Respond(nothing)))
    }),
    Entry::forged("N42-nested-sod", &[failed(STRUCTURE, "sod_malformed")], |w| {
        sod(w, encode(Tag(0x77), &nested()))
    }),
    Entry::degraded("N42-nested-dg13", &[unsupported(DG1_DG13, "dg13_not_decoded")], |w| {
        signed_group(w, 13, encode(Tag(0x6D), &nested()))
    }),
    Entry::degraded("N42-inner-length-dg13", &[unsupported(DG1_DG13, "dg13_not_decoded")], |w| {
        let inner = [0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x02, 0x01, 0x01];
        signed_group(w, 13, encode(Tag(0x6D), &inner))
    }),
    Entry::degraded("N42-nested-dg2", &[unsupported("biometrics.format", "dg2_malformed")], |w| {
        signed_group(w, 2, encode(Tag(0x75), &nested()))
    }),
    Entry::forged(
        "N42-nested-dg14",
        &[
            failed("consistency.cardaccess_dg14", "security_infos_malformed"),
            skipped("chip.ca", "not_offered"),
            // The algorithm of the key in DG15 stands there too.
            failed("chip.aa", "aa_hash_not_announced"),
        ],
        |w| signed_group(w, 14, encode(Tag(0x6E), &nested())),
    ),
    Entry::forged("N42-length-dg1", &[failed("document.validity", "mrz_malformed")], |w| {
        // The object within claims more than there is.
        let inner = [&[0x5F, 0x1F, 0x7F][..], &[b'<'; 90]].concat();
        signed_group(w, 1, encode(Tag(0x61), &inner))
    }),
];

/// A sequence in a sequence, and so on.
fn nested() -> Vec<u8> {
    // From the inside out, which is fastest from the end of a vector.
    let mut reversed = Vec::new();
    for _ in 0..DEPTH {
        let length = reversed.len();
        let head = encode(Tag(0x30), &vec![0; length]);
        let head = &head[..head.len() - length];
        reversed.extend(head.iter().rev());
    }
    reversed.reverse();
    reversed
}

fn sod(workshop: &Workshop, content: Vec<u8>) -> Made {
    let mut card = workshop.card();
    *card.file(Location::Lds1, FileId::SOD)? = content;
    Ok(card)
}

fn card_access(workshop: &Workshop, content: Vec<u8>) -> Made {
    let mut card = workshop.card();
    *card.file(Location::MasterFile, FileId::CARD_ACCESS)? = content;
    Ok(card)
}

/// A data group that nobody signed so.
fn group(workshop: &Workshop, number: u8, content: &[u8]) -> Made {
    let mut card = workshop.card();
    *card.group(number)? = content.to_vec();
    Ok(card)
}

/// A data group that was signed so.
fn signed_group(workshop: &Workshop, number: u8, content: Vec<u8>) -> Made {
    let mut card = group(workshop, number, &content)?;
    workshop.sign(&mut card)?;
    Ok(card)
}
