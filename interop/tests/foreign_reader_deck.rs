//! A foreign reader and our forgery deck: the independent crate `dmrtd` reads the cards. It does
//! Passive Authentication alone, without certificate profiles, times, revocation and policies; what
//! it can tell shows that our cards are what we say, and not only what our own reader expects.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cancuoc::deck::{Deck, Entry, Given};
use cancuoc::softcard::SoftCard;
use cancuoc::transport::CardTransport;
use dmrtd::auth::passive::{self, DataGroup, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::ef::ElementaryFile;
use dmrtd::passport::{Passport, PassportError};
use dmrtd::proto::can_key::CanKey;

/// Most pieces of a response that are fetched.
const MOST_PIECES: usize = 300;

/// Cards that both readers call authentic: good ones, and those whose defect no signature covers.
const AUTHENTIC: &[&str] = &[
    "N00-good",
    "N03-good",
    "N06-expired-since",
    "N08-csca-explicit-p512",
    "N08-explicit",
    "N08-explicit-no-cofactor",
    "N10-no-authority-key-identifier",
    "N10-other-authority-key-identifier",
    "N10-two-of-one-key-identifier",
    "N10-two-of-one-name",
    "N14-key-identifier",
    "N15-other-half",
    "N16-good",
    "N16-good-pss",
    "N18-sha1-signature-allowed",
    "N27-dg14-order",
    "N27-trailing",
    "N41-no-extended-length",
    "N41-gives-100-at-a-time",
    "N45-decomposed",
    "N46-no-expiry",
];

/// Rows, or cards, of which the foreign reader calls none authentic either. Those that begin with a
/// name are meant, the good ones among them not.
const REFUSED: &[&str] = &[
    "N01",
    "N02",
    "N04-signer-by-signer",
    "N04-no-ca",
    "N04-path-too-long",
    "N08-curveball",
    "N08-generator",
    "N08-prime",
    "N08-a",
    "N08-b",
    "N08-order",
    "N10-by-neither",
    "N11",
    "N12",
    "N13-attribute",
    "N14-no-signer",
    "N14-two-signers",
    "N15",
    "N17",
    "N18-md5",
    "N20",
    "N21",
    "N23",
    "N26-twice",
    "N37",
    "N39",
    "N40-wrong-mac",
    "N40-short-mac",
    "N40-empty-mac",
    "N40-no-mac",
    "N40-no-status",
    "N40-replayed",
    "N40-counter",
    "N40-order",
    "N40-cryptogram-twice",
    "N40-no-indicator",
    "N40-no-padding",
    "N41-more-than-asked",
    "N41-endless",
    "N41-gone",
    "N42-length-4g",
    "N42-empty-file",
];

/// A card; what it gives in pieces is fetched here, as a driver does.
struct Reader(SoftCard);

impl Transceiver for Reader {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        let lost = |_| TransceiveError::new("the card is gone");
        let mut response = self.0.transmit(apdu).map_err(lost)?;
        for _ in 0..MOST_PIECES {
            let [.., 0x61, more] = response[..] else { return Ok(response) };
            response.truncate(response.len() - 2);
            response.extend(self.0.transmit(&[0x00, 0xC0, 0x00, 0x00, more]).map_err(lost)?);
        }
        Err(TransceiveError::new("no end of the response"))
    }
}

/// Whether the foreign reader calls a card authentic; an error where it does not read on.
fn is_authentic(deck: &Deck, entry: &Entry) -> Result<bool, String> {
    let Given::Can(can) = entry.given else { return Err("opened by the MRZ".into()) };
    let random = rand_core::UnwrapErr(getrandom::SysRng);
    let card = SoftCard::power_up(Box::new(deck.card(entry).unwrap()), Box::new(random));
    let mut passport = Passport::new(Reader(card));
    let stopped = |error: PassportError| error.to_string();
    let access = passport.read_ef_card_access().map_err(stopped)?;
    passport.start_session_pace(CanKey::new(can).unwrap(), &access).map_err(stopped)?;
    let sod = passport.read_ef_sod().map_err(stopped)?.to_bytes().to_vec();
    let files = [
        (1, passport.read_ef_dg1().map_err(stopped)?.to_bytes().to_vec()),
        (2, passport.read_ef_dg2().map_err(stopped)?.to_bytes().to_vec()),
        (13, passport.read_ef_dg13().map_err(stopped)?.to_bytes().to_vec()),
        (14, passport.read_ef_dg14().map_err(stopped)?.to_bytes().to_vec()),
        (15, passport.read_ef_dg15().map_err(stopped)?.to_bytes().to_vec()),
    ];
    let groups: Vec<_> =
        files.iter().map(|(number, bytes)| DataGroup { number: *number, bytes }).collect();
    let anchors: Vec<_> = deck
        .trust(&entry.trust)
        .unwrap()
        .iter()
        .filter_map(|(_, der)| TrustAnchor::from_certificate(der).ok())
        .collect();
    let result = passive::verify(&sod, &groups, &anchors).map_err(|error| error.to_string())?;
    Ok(result.is_authentic())
}

#[test]
fn a_foreign_reader_tells_good_cards_of_the_deck_from_bad_ones() {
    let deck = Deck::new().unwrap();
    let (mut good, mut bad) = (0, 0);
    for entry in Deck::entries() {
        let refused = !entry.is_good() && REFUSED.iter().any(|start| entry.name.starts_with(start));
        if AUTHENTIC.contains(&entry.name) {
            assert_eq!(is_authentic(&deck, entry), Ok(true), "{}", entry.name);
            good += 1;
        } else if refused {
            assert_ne!(is_authentic(&deck, entry), Ok(true), "{}", entry.name);
            bad += 1;
        }
    }
    println!("{good} cards authentic, {bad} refused");
    assert_eq!(good, AUTHENTIC.len());
    for start in REFUSED {
        assert!(Deck::entries().iter().any(|entry| entry.name.starts_with(start)), "{start}");
    }
}
