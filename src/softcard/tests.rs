use super::*;

fn blank() -> SoftCard {
    SoftCard::in_memory(&BlankOptions::test([1, 2, 3, 4])).unwrap()
}

#[test]
fn the_check_byte_of_the_atr_is_right() {
    assert_eq!(ATR[1..].iter().fold(0, |sum, byte| sum ^ byte), 0);
}

#[test]
fn a_blank_card_shows_its_issuer_domain_and_nothing_else() {
    let mut card = blank();
    assert_eq!(card.process(&[0x80, 0xCA, 0x9F, 0x7F, 0])[..3], [0x9F, 0x7F, 42]);
    let select = [&[0x00, 0xA4, 0x04, 0x0C, 7][..], &crate::lds::LDS1_AID].concat();
    assert_eq!(card.process(&select), [0x6A, 0x82]);
    assert_eq!(card.summary().application, ApplicationLifeCycle::Blank);
}

#[test]
fn a_command_chain_is_joined_and_a_broken_one_refused() {
    let mut card = blank();
    assert_eq!(card.process(&[0x90, 0x50, 0, 0, 4, 1, 2, 3, 4]), [0x90, 0x00]);
    let answer = card.process(&[0x80, 0x50, 0, 0, 4, 5, 6, 7, 8, 0]);
    assert_eq!(answer[answer.len() - 2..], [0x90, 0x00], "INITIALIZE UPDATE of eight bytes");
    assert_eq!(card.process(&[0x90, 0x50, 0, 0, 4, 1, 2, 3, 4]), [0x90, 0x00]);
    assert_eq!(card.process(&[0x80, 0xCA, 0x9F, 0x7F, 0]), [0x68, 0x83]);
}

#[test]
fn what_does_not_fit_comes_with_get_response() {
    let mut card = blank();
    let first = card.process(&[0x80, 0xCA, 0x9F, 0x7F, 40]);
    assert_eq!(first[first.len() - 2..], [0x61, 5]);
    let rest = card.process(&[0x00, 0xC0, 0, 0, 5]);
    assert_eq!((rest.len(), &rest[5..]), (7, &[0x90, 0x00][..]));
    assert_eq!(card.process(&[0x00, 0xC0, 0, 0, 5]), [0x69, 0x85]);
}

#[test]
fn ten_wrong_hosts_in_a_row_block_the_domain() {
    let mut card = blank();
    let initialize = [0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    let mut authenticate = vec![0x84, 0x82, 0x01, 0x00, 16];
    authenticate.extend([0; 16]);
    for _ in 0..10 {
        let answer = card.process(&initialize);
        assert_eq!(answer[answer.len() - 2..], [0x90, 0x00]);
        assert_eq!(card.process(&authenticate), [0x63, 0x00]);
    }
    assert_eq!(card.process(&initialize), [0x69, 0x83]);
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_commands_makes_a_blank_card_panic(
        commands in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..24), 1..20)
    ) {
        let mut card = blank();
        for command in &commands {
            proptest::prop_assert!(card.process(command).len() >= 2);
        }
    }
}
