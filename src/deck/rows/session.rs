//! N39 to N41: secure messaging, the link, and whether anything ever comes to an end.

use crate::deck::entry::failed;
use crate::deck::workshop::Workshop;
use crate::deck::{Card, DeckError, Entry};
use crate::issue::Location;
use crate::lds::FileId;
use crate::softcard::misbehaviour::{Act, LinkFault, When, WrongContent, WrongProtection};

type Made = Result<Card, DeckError>;

const FAILED: &str = "secure_messaging_failed";
const LIMIT: &str = "card_limit_exceeded";
const READ: u8 = 0xB0;
/// READ BINARY of DG2 by its short identifier: the second file under the keys of Chip
/// Authentication.
const READ_DG2: When = When::ins(READ).p1(0x82);
/// READ BINARY of EF.CardAccess by its short identifier.
const READ_CARD_ACCESS: When = When::ins(READ).p1(0x9C);
/// SELECT of the master file.
const SELECT_MASTER_FILE: When = When::ins(0xA4).p1(0x00);

pub(super) const ENTRIES: &[Entry] = &[
    Entry::aborted("N39-plain", FAILED, |w| protect(w, WrongProtection::Plain)),
    Entry::aborted("N39-plain-status", FAILED, |w| protect(w, WrongProtection::PlainStatus)),
    Entry::aborted("N39-plain-error", FAILED, |w| {
        let refusal = WrongContent::Answer { data: Vec::new(), status: 0x6A82 };
        let card = protect(w, WrongProtection::Plain)?;
        Ok(card.misbehaving(READ_DG2, Act::Respond(refusal)))
    }),
    Entry::aborted("N40-wrong-mac", FAILED, |w| protect(w, WrongProtection::WrongMac)),
    Entry::aborted("N40-short-mac", FAILED, |w| protect(w, WrongProtection::ShortMac(7))),
    Entry::aborted("N40-empty-mac", FAILED, |w| protect(w, WrongProtection::ShortMac(0))),
    Entry::aborted("N40-no-mac", FAILED, |w| protect(w, WrongProtection::NoMac)),
    Entry::aborted("N40-no-status", FAILED, |w| protect(w, WrongProtection::NoStatus)),
    Entry::aborted("N40-replayed", FAILED, |w| protect(w, WrongProtection::Replay)),
    Entry::aborted("N40-counter", FAILED, |w| protect(w, WrongProtection::CounterBehind)),
    Entry::aborted("N40-status-outside", FAILED, |w| {
        protect(w, WrongProtection::StatusOutside(0x6282))
    }),
    Entry::aborted("N40-order", FAILED, |w| protect(w, WrongProtection::StatusFirst)),
    Entry::aborted("N40-cryptogram-twice", FAILED, |w| {
        protect(w, WrongProtection::CryptogramTwice)
    }),
    Entry::aborted("N40-no-indicator", FAILED, |w| protect(w, WrongProtection::NoIndicator)),
    Entry::aborted("N40-no-padding", FAILED, |w| protect(w, WrongProtection::NoPadding)),
    Entry::aborted("N40-after-mac", FAILED, |w| protect(w, WrongProtection::AfterMac)),
    Entry::good("N41-no-short-identifiers", |w| {
        let mut card = w.card();
        card.image.files.iter_mut().for_each(|file| file.sfi = None);
        Ok(card)
    }),
    Entry::good("N41-master-file-unknown", |w| {
        // Some cards stand in the master file and answer SELECT of it with 6D00.
        let mut card = w.card();
        card.image.files.iter_mut().for_each(|file| file.sfi = None);
        let refusal = WrongContent::Answer { data: Vec::new(), status: 0x6D00 };
        let master_file = SELECT_MASTER_FILE.once_after(0);
        Ok(card.misbehaving(master_file, Act::Respond(refusal)))
    }),
    Entry::good("N41-no-extended-length", |w| {
        let mut card = w.card();
        card.remove(Location::MasterFile, FileId::ATR_INFO);
        Ok(card)
    }),
    Entry::good("N41-blocks-of-128", |w| {
        respond(w, When::ins(READ), WrongContent::AtMost { most: 128, status: 0x6700 })
    }),
    Entry::good("N41-wants-96", |w| {
        respond(w, When::ins(READ), WrongContent::AtMost { most: 96, status: 0x6C60 })
    }),
    Entry::good("N41-gives-100-at-a-time", |w| {
        respond(w, When::ins(READ), WrongContent::AtATime(100))
    }),
    Entry::forged("N41-status", &[failed("pa.hashes", "dg_unreadable")], |w| {
        let error = WrongContent::Answer { data: Vec::new(), status: 0x6581 };
        respond(w, READ_DG2, error)
    }),
    Entry::forged("N41-not-found", &[failed("pa.hashes", "dg_missing")], |w| {
        let error = WrongContent::Answer { data: Vec::new(), status: 0x6A82 };
        respond(w, READ_DG2, error)
    }),
    Entry::aborted("N41-more-than-asked", LIMIT, |w| {
        respond(w, READ_DG2, WrongContent::LongerBy(40))
    }),
    Entry::aborted("N41-nothing-for-ever", LIMIT, |w| {
        respond(w, READ_DG2, WrongContent::AtATime(0))
    }),
    Entry::aborted("N41-eight-at-a-time", LIMIT, |w| {
        // After EF.ATR/INFO and EF.CardAccess.
        respond(w, When::ins(READ).after(2), WrongContent::AtATime(8))
    }),
    Entry::aborted("N41-endless-response", LIMIT, |w| {
        Ok(w.card().misbehaving(READ_DG2, Act::Link(LinkFault::EndlessResponse)))
    }),
    Entry::aborted("N41-endless-card-access", LIMIT, |w| {
        Ok(w.card().misbehaving(READ_CARD_ACCESS, Act::Link(LinkFault::EndlessResponse)))
    }),
    Entry::aborted("N41-gone", "card_removed", |w| {
        Ok(w.card().misbehaving(READ_DG2, Act::Link(LinkFault::Gone)))
    })
    .exits(4),
    Entry::aborted("N41-gone-in-pace", "card_removed", |w| {
        let agreement = When::ins(0x86).once_after(2);
        Ok(w.card().misbehaving(agreement, Act::Link(LinkFault::Gone)))
    })
    .exits(4),
    Entry::aborted("N41-silent", "card_timeout", |w| {
        Ok(w.card().misbehaving(READ_DG2, Act::Link(LinkFault::Silence)))
    })
    .exits(4),
];

fn protect(workshop: &Workshop, wrong: WrongProtection) -> Made {
    Ok(workshop.card().misbehaving(READ_DG2, Act::Protect(wrong)))
}

fn respond(workshop: &Workshop, when: When, wrong: WrongContent) -> Made {
    Ok(workshop.card().misbehaving(when, Act::Respond(wrong)))
}
