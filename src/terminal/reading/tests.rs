use cancuoc_primitives::cipher::BlockCipher;
use proptest::prelude::*;

use super::*;
use crate::apdu::tlv::encode;
use crate::terminal::secure_messaging::SecureMessaging;
use crate::terminal::testing::FileCard;
use crate::transport::TransportError;

const DG2: FileId = FileId(0x0102);

/// A file of that many bytes whose bytes tell their place.
fn file(tag: u8, length: usize) -> Vec<u8> {
    let head = [2, 3, 4, 5].into_iter().find(|head| {
        let inner = length - head;
        1 + crate::apdu::tlv::encode_length(inner).len() == *head
    });
    let inner: Vec<u8> = (0..length - head.unwrap()).map(|i| (i % 251) as u8).collect();
    encode(Tag(u32::from(tag)), &inner)
}

/// COM, SOD, DG1, DG13, DG14, DG2 of the measured read: 20 687 bytes.
fn six_files() -> Vec<(u16, Vec<u8>)> {
    vec![
        (0x011E, file(0x60, 30)),
        (0x011D, file(0x77, 1_900)),
        (0x0101, file(0x61, 95)),
        (0x010D, file(0x6D, 362)),
        (0x010E, file(0x6E, 300)),
        (0x0102, file(0x75, 18_000)),
    ]
}

fn protect(card: &mut FileCard, cipher: BlockCipher) -> SecureMessaging {
    let keys = SecureMessaging::from_secret(cipher, b"shared secret");
    card.session = Some(keys.clone());
    keys
}

fn session(mut card: FileCard, cipher: BlockCipher, extended: bool) -> Session<FileCard> {
    let keys = protect(&mut card, cipher);
    let mut session = Session::new(card);
    session.start_secure_messaging(keys);
    session.allow_extended_length(extended);
    session
}

fn reader() -> FileReader {
    FileReader::new(ReadLimits::default())
}

fn read_all(reader: &mut FileReader, session: &mut Session<FileCard>) {
    for (fid, expected) in six_files() {
        let read = reader.read(session, FileId(fid)).unwrap();
        assert_eq!(read, FileRead::Content { bytes: expected, trailing: 0 });
    }
}

#[test]
fn reads_the_six_files_in_96_short_commands() {
    let mut session = session(FileCard::new(six_files()), BlockCipher::Aes128, false);
    let mut reader = reader();
    read_all(&mut reader, &mut session);
    let statistics = reader.statistics();
    assert_eq!((statistics.apdus, statistics.apdus_min), (96, 96));
    assert_eq!(statistics.bytes_up + statistics.bytes_down, 24_557);
    assert_eq!(statistics.payload, 20_687);
    assert_eq!(format!("{:.4}", statistics.efficiency), "0.8424");
    assert_eq!(statistics.rereads, 0);
}

#[test]
fn reads_the_six_files_in_93_short_commands_under_3des() {
    let mut session = session(FileCard::new(six_files()), BlockCipher::Tdes, false);
    let mut reader = reader();
    read_all(&mut reader, &mut session);
    assert_eq!((reader.statistics().apdus, reader.statistics().apdus_min), (93, 93));
}

#[test]
fn reads_the_six_files_in_10_commands_with_extended_length() {
    let mut session = session(FileCard::new(six_files()), BlockCipher::Aes128, true);
    let mut reader = reader().with_extended_length(Some(65_536));
    read_all(&mut reader, &mut session);
    let statistics = reader.statistics();
    assert_eq!((statistics.apdus, statistics.apdus_min), (10, 10));
    assert_eq!(format!("{:.4}", statistics.efficiency), "0.9796");
    assert_eq!(statistics.efficiency, statistics.efficiency_bound);
}

#[test]
fn steps_down_once_and_remembers_in_the_same_session() {
    let mut card = FileCard::new(six_files());
    card.max_block = 200;
    let mut session = session(card, BlockCipher::Aes128, false);
    let mut reader = reader();
    read_all(&mut reader, &mut session);
    let asked: Vec<usize> =
        session.into_transport().sent.iter().filter_map(|c| c.ne).map(Ne::get).collect();
    assert_eq!(asked.iter().filter(|ne| **ne > 200).count(), 2, "COM, then the first long block");
    assert!(asked.contains(&192) && !asked.contains(&128));
    assert_eq!(reader.statistics().rereads, 0);
}

#[test]
fn steps_down_to_128_bytes() {
    let mut card = FileCard::new(six_files());
    card.max_block = 150;
    let mut session = session(card, BlockCipher::Tdes, false);
    read_all(&mut reader(), &mut session);
}

#[test]
fn takes_the_length_that_a_card_names() {
    let mut card = FileCard::new(six_files());
    (card.max_block, card.refusal) = (0xA0, 0x6CA0);
    let mut session = session(card, BlockCipher::Aes128, false);
    read_all(&mut reader(), &mut session);
    let sent = session.into_transport().sent;
    let refused = sent.iter().filter(|c| c.ne.is_some_and(|ne| ne.get() > 0xA0)).count();
    assert!(refused <= 2, "{refused} blocks refused");
    assert!(sent.iter().any(|c| c.ne == Some(Ne::new(0xA0))));
}

#[test]
fn steps_down_from_extended_to_short() {
    let mut card = FileCard::new(six_files());
    card.max_block = 250;
    let mut session = session(card, BlockCipher::Aes128, true);
    let mut reader = reader().with_extended_length(Some(65_536));
    read_all(&mut reader, &mut session);
    assert_eq!(reader.statistics().apdus, 97, "one extended block refused");
    assert_eq!(reader.statistics().apdus_min, 10);
}

#[test]
fn reads_from_a_card_that_refuses_to_be_asked_for_more_than_there_is() {
    for refusal in [0x6700, 0x6B00, 0x6282] {
        let mut card = FileCard::new(six_files());
        (card.strict_end, card.refusal) = (true, refusal);
        let mut session = session(card, BlockCipher::Aes128, false);
        let mut reader = reader();
        read_all(&mut reader, &mut session);
        assert_eq!(reader.statistics().rereads, 0);
    }
}

#[test]
fn selects_by_identifier_where_short_identifiers_do_not_work() {
    for status in [0x6A82, 0x6A86, 0x6D00] {
        let mut card = FileCard::new(six_files());
        card.no_short = Some(status);
        let mut session = session(card, BlockCipher::Aes128, false);
        let mut reader = reader();
        read_all(&mut reader, &mut session);
        assert_eq!(reader.statistics().apdus, 96 + 1 + 6);
    }
}

#[test]
fn tells_absent_files_from_denied_ones() {
    let mut card = FileCard::new(six_files().into_iter().chain([(0x0103, file(0x63, 99))]));
    card.denied.push(0x0103);
    let mut session = session(card, BlockCipher::Aes128, false);
    let mut reader = reader();
    assert_eq!(reader.read(&mut session, FileId(0x010B)).unwrap(), FileRead::NotFound);
    let denied = FileRead::Denied(StatusWord::SECURITY_STATUS);
    assert_eq!(reader.read(&mut session, FileId(0x0103)).unwrap(), denied);
    assert_eq!((reader.statistics().apdus, reader.statistics().probes), (0, 3));
    read_all(&mut reader, &mut session);
    assert_eq!(reader.statistics().apdus, 96, "still by short identifier");
}

#[test]
fn reads_past_32767_bytes_with_the_odd_instruction() {
    for (extended, limit) in [(false, None), (true, Some(20_000))] {
        let long = file(0x75, 70_000);
        let card = FileCard::new([(DG2.0, long.clone())]);
        let mut session = session(card, BlockCipher::Aes128, extended);
        let mut reader = reader().with_extended_length(limit);
        let read = reader.read(&mut session, DG2).unwrap();
        assert!(read.content() == Some(&long[..]));
        assert_eq!(reader.statistics().apdus, reader.statistics().apdus_min);
        let s = reader.statistics();
        assert!((s.efficiency - s.efficiency_bound).abs() < 1e-12, "{s:?}");
        let sent = session.into_transport().sent;
        let odd = |c: &CommandApdu| c.ins == 0xB1;
        assert!(sent.iter().any(odd) && !odd(&sent[0]));
    }
}

#[test]
fn reads_from_a_card_that_reserves_more_for_the_head_of_an_odd_read() {
    for length in 40_000..40_010 {
        let long = file(0x75, length);
        let mut card = FileCard::new([(DG2.0, long.clone())]);
        card.reserves = true;
        let mut session = session(card, BlockCipher::Aes128, false);
        let read = reader().read(&mut session, DG2).unwrap();
        assert!(read.content() == Some(&long[..]), "{length}");
    }
}

#[test]
fn reports_bytes_after_the_data_object() {
    let mut bytes = file(0x61, 95);
    bytes.extend([0xFF; 7]);
    let mut session = session(FileCard::new([(0x0101, bytes)]), BlockCipher::Aes128, false);
    let read = reader().read(&mut session, FileId(0x0101)).unwrap();
    assert_eq!(read, FileRead::Content { bytes: file(0x61, 95), trailing: 7 });
}

#[test]
fn counts_bytes_read_twice() {
    let mut session = session(FileCard::new(six_files()), BlockCipher::Aes128, false);
    let mut reader = reader();
    reader.read(&mut session, FileId(0x0101)).unwrap();
    reader.read(&mut session, FileId(0x0101)).unwrap();
    assert_eq!(reader.statistics().rereads, 95);
}

#[test]
fn refuses_a_file_longer_than_allowed() {
    let head = vec![0x75, 0x84, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0];
    let mut session = session(FileCard::new([(DG2.0, head)]), BlockCipher::Aes128, false);
    let error = reader().read(&mut session, DG2).unwrap_err();
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
}

#[test]
fn refuses_files_that_are_together_longer_than_allowed() {
    let limits = ReadLimits { max_file: 20_000, max_total: 18_100 };
    let mut session = session(FileCard::new(six_files()), BlockCipher::Aes128, false);
    let mut reader = FileReader::new(limits);
    reader.read(&mut session, DG2).unwrap();
    let error = reader.read(&mut session, FileId(0x010D)).unwrap_err();
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
}

#[test]
fn refuses_a_file_that_ends_before_its_data_object() {
    let cut = file(0x75, 500)[..400].to_vec();
    let mut session = session(FileCard::new([(DG2.0, cut)]), BlockCipher::Aes128, false);
    let error = reader().read(&mut session, DG2).unwrap_err();
    assert!(matches!(error, TerminalError::File { file: DG2, .. }), "{error}");
}

/// Answers every command with the same function of its number, in plain.
struct Hostile<F>(F, usize);

impl<F: FnMut(usize, &[u8]) -> Vec<u8>> CardTransport for Hostile<F> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.1 += 1;
        Ok((self.0)(self.1, command))
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

fn attack(answer: impl FnMut(usize, &[u8]) -> Vec<u8>) -> (TerminalError, usize) {
    let mut session = Session::new(Hostile(answer, 0));
    let error = reader().read(&mut session, DG2).unwrap_err();
    (error, session.into_transport().1)
}

#[test]
fn refuses_more_than_it_asked_for() {
    let (error, apdus) = attack(|_, _| [&[0x75; 300][..], &[0x90, 0]].concat());
    assert!(matches!(error, TerminalError::Limit { .. }) && apdus == 1, "{error}");
}

#[test]
fn refuses_a_card_that_sends_nothing() {
    let (error, _) = attack(|_, _| vec![0x90, 0]);
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
}

#[test]
fn refuses_a_card_that_sends_a_byte_at_a_time() {
    let (error, apdus) = attack(|n, _| match n {
        1 => [&[0x75, 0x82, 0xFF, 0xFF][..], &[0; 100], &[0x90, 0]].concat(),
        _ => vec![0, 0x90, 0],
    });
    assert!(matches!(error, TerminalError::Limit { .. }) && apdus < 10, "{error} {apdus}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn ends_with_any_card_after_bounded_commands(
        answers in prop::collection::vec(
            (prop::sample::select(vec![0x9000u16, 0x6282, 0x6700, 0x6B00, 0x6C40, 0x6CA0, 0x6A82, 0x6982, 0x6100, 0x6F00]),
             prop::collection::vec(any::<u8>(), 0..260)), 1..8),
        head in prop::option::of(0usize..70_000),
    ) {
        let mut session = Session::new(Hostile(|n: usize, _: &[u8]| {
            let (status, data) = &answers[n % answers.len()];
            let mut out = data.clone();
            if let (Some(length), 1) = (head, n) {
                out = [&[0x75, 0x83][..], &(length as u32).to_be_bytes()[1..], &out].concat();
                out.truncate(256);
            }
            out.extend(status.to_be_bytes());
            out
        }, 0));
        let _ = reader().read(&mut session, DG2);
        prop_assert!(session.into_transport().1 < 70_000 / 64 * 300 + 600);
    }

    #[test]
    fn reads_any_file_from_any_card_of_good_will(
        length in 2usize..3_000, max_block in 128usize..300, strict_end in any::<bool>(),
        no_short in prop::option::of(prop::sample::select(vec![0x6A82u16, 0x6A86])),
        refusal in prop::sample::select(vec![0x6700u16, 0x6B00]),
        extended in any::<bool>(), tdes in any::<bool>(),
    ) {
        prop_assume!(![130, 259].contains(&length)); // no data object has these lengths
        let expected = file(0x75, length);
        let mut card = FileCard::new([(DG2.0, expected.clone())]);
        (card.max_block, card.strict_end, card.no_short) = (max_block, strict_end, no_short);
        card.refusal = refusal;
        let cipher = if tdes { BlockCipher::Tdes } else { BlockCipher::Aes256 };
        let mut session = session(card, cipher, extended);
        let mut reader = reader().with_extended_length(extended.then_some(65_536));
        // A card that refuses to be asked past the end cannot be asked for six bytes of two.
        prop_assume!(!strict_end || length >= 6);
        let read = reader.read(&mut session, DG2).unwrap();
        prop_assert_eq!(read.content(), Some(&expected[..]));
        prop_assert_eq!(reader.statistics().rereads, 0);
    }
}
