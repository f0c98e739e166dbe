use hex_literal::hex;
use proptest::prelude::*;

use super::*;

/// The session of ICAO 9303-11 appendix D.4, with its keys.
fn session_of_appendix_d() -> SecureMessaging {
    SecureMessaging {
        cipher: BlockCipher::Tdes,
        encryption_key: Zeroizing::new(hex!("979EC13B1CBFE9DCD01AB0FED307EAE5").to_vec()),
        mac_key: Zeroizing::new(hex!("F1CB1F1FB5ADF208806B89DC579DC1F8").to_vec()),
        counter: 0x8870_2212_0C06_C226,
        ins_is_odd: false,
    }
}

fn response(bytes: &[u8]) -> ResponseApdu {
    ResponseApdu::parse(bytes).unwrap()
}

#[test]
fn reproduces_the_published_3des_session() {
    // ICAO 9303-11 appendix D.4: SELECT EF.COM, READ BINARY of 4 bytes, then of the other 18.
    let mut sm = session_of_appendix_d();
    let select = CommandApdu::new(0, 0xA4, 2, 0x0C).with_data([1, 0x1E]);
    assert_eq!(
        sm.wrap(&select).unwrap().encode().unwrap(),
        hex!("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800")
    );
    let answer = sm.unwrap(&response(&hex!("990290008E08FA855A5D4C50A8ED9000"))).unwrap();
    assert_eq!((answer.data.len(), answer.status), (0, StatusWord::OK));

    let read = CommandApdu::new(0, 0xB0, 0, 0).with_ne(Ne::new(4));
    assert_eq!(
        sm.wrap(&read).unwrap().encode().unwrap(),
        hex!("0CB000000D9701048E08ED6705417E96BA5500")
    );
    let answer = hex!("8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000");
    assert_eq!(sm.unwrap(&response(&answer)).unwrap().data, hex!("60145F01"));

    let read = CommandApdu::new(0, 0xB0, 0, 4).with_ne(Ne::new(18));
    assert_eq!(
        sm.wrap(&read).unwrap().encode().unwrap(),
        hex!("0CB000040D9701128E082EA28A70F3C7B53500")
    );
    let answer = hex!(
        "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000"
    );
    assert_eq!(
        sm.unwrap(&response(&answer)).unwrap().data,
        hex!("04303130365F36063034303030305C026175")
    );
}

#[test]
fn agrees_with_a_foreign_aes_session_after_the_pace_example() {
    // Keys of ICAO 9303-11 appendix G.1; the APDUs come from another implementation.
    let secret = hex!("28768D20701247DAE81804C9E780EDE582A9996DB4A315020B2733197DB84925");
    let mut sm = SecureMessaging::from_secret(BlockCipher::Aes128, &secret);
    let select = CommandApdu::new(0, 0xA4, 4, 0x0C).with_data(hex!("A0000002471001"));
    assert_eq!(
        sm.wrap(&select).unwrap().encode().unwrap(),
        hex!("0CA4040C1D871101752F676B09FAC86A87D632749A49C7CC8E08C18BA1FCE707BD9F00")
    );
    let answer = sm.unwrap(&response(&hex!("990290008E08BEA7B381C494A0799000"))).unwrap();
    assert_eq!(answer.status, StatusWord::OK);
}

#[test]
fn agrees_with_a_foreign_aes_command_in_mid_session() {
    // A command of Chip Authentication from the tests of another implementation.
    let mut sm = SecureMessaging {
        cipher: BlockCipher::Aes128,
        encryption_key: Zeroizing::new(hex!("cc86415f2ed7e8fd663b754265695ae1").to_vec()),
        mac_key: Zeroizing::new(hex!("581e84b8ee06c4d3eee30461498d7fb3").to_vec()),
        counter: 0xBA,
        ins_is_odd: false,
    };
    let command =
        CommandApdu::new(0, 0x22, 0x41, 0xA4).with_data(hex!("800a04007f000702020302028401c3"));
    assert_eq!(
        sm.wrap(&command).unwrap().encode().unwrap(),
        hex!("0c2241a41d871101980953d37f67558690045d78a853b18a8e08929767a2cef172e200")
    );
}

const CIPHERS: [BlockCipher; 4] =
    [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];

/// A response as a card of the same session would make it, built from parts so that tests can
/// leave out, repeat or reorder them.
struct Card {
    sm: SecureMessaging,
}

impl Card {
    fn of(terminal: &SecureMessaging) -> Self {
        let mut sm = terminal.clone();
        sm.step();
        Self { sm }
    }

    fn cryptogram(&self, data: &[u8]) -> Vec<u8> {
        encode(CRYPTOGRAM, &[&[1], &self.sm.encrypt(data).unwrap()[..]].concat())
    }

    fn status(sw: u16) -> Vec<u8> {
        encode(STATUS, &sw.to_be_bytes())
    }

    /// The objects with a right MAC after them, and the status word.
    fn seal(&self, objects: &[u8], sw: u16) -> ResponseApdu {
        let mac = encode(MAC, &self.sm.mac(&[objects]).unwrap());
        ResponseApdu { data: [objects, &mac].concat(), status: StatusWord(sw) }
    }
}

fn session() -> SecureMessaging {
    let mut sm = SecureMessaging::from_secret(BlockCipher::Aes128, b"secret");
    sm.wrap(&CommandApdu::new(0, 0xB0, 0, 0).with_ne(Ne::MAX_SHORT)).unwrap();
    sm
}

fn refuses(make: impl FnOnce(&Card) -> ResponseApdu) {
    let mut terminal = session();
    let bad = make(&Card::of(&terminal));
    assert_eq!(terminal.unwrap(&bad), Err(SecureMessagingError));
}

/// A command without data and Le is rare: RESET RETRY COUNTER is one.
#[test]
fn pads_a_header_once_where_nothing_follows_it() {
    for cipher in [BlockCipher::Tdes, BlockCipher::Aes128] {
        let mut session = SecureMessaging::from_secret(cipher, b"secret");
        let wrapped = session.wrap(&CommandApdu::new(0x00, 0x2C, 0x03, 0x03)).unwrap();
        let header = [0x0C, 0x2C, 0x03, 0x03];
        let input = [&session.counter_block()[..], &header].concat();
        let mac = match cipher {
            BlockCipher::Tdes => retail_mac(&session.mac_key, &input).unwrap(),
            aes => {
                let full = cmac(aes, &session.mac_key, &pad(&input, 16)).unwrap();
                *full.first_chunk().unwrap()
            }
        };
        assert_eq!(wrapped.data, encode(MAC, &mac));
    }
}

#[test]
fn accepts_a_right_response() {
    let mut terminal = session();
    let card = Card::of(&terminal);
    let objects = [card.cryptogram(b"data"), Card::status(0x9000)].concat();
    let answer = terminal.unwrap(&card.seal(&objects, 0x9000)).unwrap();
    assert_eq!(answer.data, b"data");
}

#[test]
fn accepts_a_protected_error() {
    let mut terminal = session();
    let card = Card::of(&terminal);
    let answer = terminal.unwrap(&card.seal(&Card::status(0x6A82), 0x6A82)).unwrap();
    assert_eq!(answer.status, StatusWord::NOT_FOUND);
}

#[test]
fn refuses_a_plain_response() {
    refuses(|_| response(&[1, 2, 3, 0x90, 0]));
    refuses(|_| response(&[0x90, 0]));
    refuses(|_| response(&[0x69, 0x88]));
}

#[test]
fn refuses_a_wrong_mac() {
    refuses(|card| {
        let mut answer = card.seal(&Card::status(0x9000), 0x9000);
        *answer.data.last_mut().unwrap() ^= 1;
        answer
    });
}

#[test]
fn refuses_a_shortened_mac() {
    refuses(|card| {
        let objects = Card::status(0x9000);
        let mac = card.sm.mac(&[&objects]).unwrap();
        let data = [objects, encode(MAC, &mac[..4])].concat();
        ResponseApdu { data, status: StatusWord::OK }
    });
}

#[test]
fn refuses_a_missing_mac() {
    refuses(|_| ResponseApdu { data: Card::status(0x9000), status: StatusWord::OK });
}

#[test]
fn refuses_a_missing_status_object() {
    refuses(|card| card.seal(&card.cryptogram(b"data"), 0x9000));
}

#[test]
fn refuses_another_status_word_outside_than_inside() {
    refuses(|card| card.seal(&Card::status(0x6A82), 0x9000));
}

#[test]
fn refuses_data_objects_in_another_order() {
    refuses(|card| card.seal(&[Card::status(0x9000), card.cryptogram(b"data")].concat(), 0x9000));
}

#[test]
fn refuses_a_repeated_data_object() {
    refuses(|card| {
        let twice = [card.cryptogram(b"a"), card.cryptogram(b"b"), Card::status(0x9000)];
        card.seal(&twice.concat(), 0x9000)
    });
}

#[test]
fn refuses_an_object_after_the_mac() {
    refuses(|card| {
        let mut answer = card.seal(&Card::status(0x9000), 0x9000);
        answer.data.extend(Card::status(0x9000));
        answer
    });
}

#[test]
fn refuses_a_cryptogram_without_padding_indicator() {
    refuses(|card| {
        let cryptogram = card.sm.encrypt(b"data").unwrap();
        let with = |indicator: &[u8]| encode(CRYPTOGRAM, &[indicator, &cryptogram].concat());
        card.seal(&[with(&[2]), Card::status(0x9000)].concat(), 0x9000)
    });
}

#[test]
fn refuses_bad_padding() {
    refuses(|card| {
        let iv = card.sm.iv().unwrap();
        let key = &card.sm.encryption_key;
        let cryptogram = cbc_encrypt(card.sm.cipher, key, &iv, &[0; 16]).unwrap();
        let object = encode(CRYPTOGRAM, &[&[1], &cryptogram[..]].concat());
        card.seal(&[object, Card::status(0x9000)].concat(), 0x9000)
    });
}

#[test]
fn refuses_a_replayed_response() {
    let mut terminal = session();
    let answer = Card::of(&terminal).seal(&Card::status(0x9000), 0x9000);
    terminal.unwrap(&answer).unwrap();
    terminal.wrap(&CommandApdu::new(0, 0xB0, 0, 0).with_ne(Ne::MAX_SHORT)).unwrap();
    assert_eq!(terminal.unwrap(&answer), Err(SecureMessagingError));
}

#[test]
fn takes_the_cryptogram_of_an_odd_instruction_from_its_own_object() {
    let mut terminal = session();
    terminal.wrap(&CommandApdu::new(0, 0xB1, 0, 0).with_data([0x54, 1, 0])).unwrap();
    let card = Card::of(&terminal);
    let object = encode(CRYPTOGRAM_TLV, &card.sm.encrypt(&[0x53, 1, 7]).unwrap());
    let answer = card.seal(&[object, Card::status(0x9000)].concat(), 0x9000);
    assert_eq!(terminal.unwrap(&answer).unwrap().data, [0x53, 1, 7]);
}

#[test]
fn counts_up_to_the_width_of_the_counter() {
    let mut sm = session_of_appendix_d();
    sm.counter = u128::from(u64::MAX);
    sm.step();
    assert_eq!(sm.counter_block(), [0; 8]);
}

#[test]
fn shows_no_keys_in_debug_output() {
    assert_eq!(format!("{:?}", session()), "SecureMessaging(AES-128, ***)");
}

proptest! {
    #[test]
    fn unwraps_what_a_card_of_the_same_session_wraps(
        data in prop::collection::vec(any::<u8>(), 0..600),
        cipher in prop::sample::select(CIPHERS.to_vec()),
    ) {
        let mut terminal = SecureMessaging::from_secret(cipher, b"secret");
        terminal.wrap(&CommandApdu::new(0, 0xB0, 0, 0)).unwrap();
        let card = Card::of(&terminal);
        let objects = if data.is_empty() { Vec::new() } else { card.cryptogram(&data) };
        let answer = card.seal(&[objects, Card::status(0x9000)].concat(), 0x9000);
        prop_assert_eq!(terminal.unwrap(&answer).unwrap().data, data);
    }

    #[test]
    fn refuses_every_changed_byte(position in any::<prop::sample::Index>(), change in 1u8..) {
        let mut terminal = session();
        let card = Card::of(&terminal);
        let objects = [card.cryptogram(b"personal data"), Card::status(0x9000)].concat();
        let mut answer = card.seal(&objects, 0x9000);
        let at = position.index(answer.data.len());
        answer.data[at] ^= change;
        prop_assert_eq!(terminal.unwrap(&answer), Err(SecureMessagingError));
    }

    #[test]
    fn never_panics_and_never_accepts_bytes_without_the_key(
        data in prop::collection::vec(any::<u8>(), 0..80), sw in any::<u16>(), odd in any::<bool>(),
    ) {
        let mut terminal = session();
        terminal.ins_is_odd = odd;
        let answer = ResponseApdu { data, status: StatusWord(sw) };
        prop_assert_eq!(terminal.unwrap(&answer), Err(SecureMessagingError));
    }
}
