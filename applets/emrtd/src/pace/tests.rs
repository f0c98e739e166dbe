use super::*;
use hex_literal::hex;

/// Gives out one chunk after another, as the worked example needs it.
struct Script(Vec<Vec<u8>>);
impl rand_core::TryRng for Script {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let next = self.0.remove(0);
        assert_eq!(next.len(), out.len());
        out.copy_from_slice(&next);
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Script {}

const VARIANT: Variant = Variant { cipher: BlockCipher::Aes128, curve: Curve::BrainpoolP256r1 };

// ICAO 9303-11 appendix G.1 (ECDH, Generic Mapping).
const PASSWORD_KEY_SOURCE: [u8; 20] = hex!("7E2D2A41C74EA0B38CD36F863939BFA8E9032AAD");
const NONCE: [u8; 16] = hex!("3F00C4D39D153F2B2A214A078D899B22");
const ENCRYPTED_NONCE: [u8; 16] = hex!("95A3A016522EE98D01E76CB6B98B42C3");

fn key(x: &[u8], y: &[u8]) -> Point {
    Point::from_uncompressed(VARIANT.curve, &[&[4], x, y].concat()).unwrap()
}

fn mapping_key_of_terminal() -> Point {
    key(
        &hex!("7ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E"),
        &hex!("544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D"),
    )
}

fn ephemeral_key_of_terminal() -> Point {
    key(
        &hex!("2DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C"),
        &hex!("3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462"),
    )
}

#[test]
fn the_worked_example_gives_its_nonce_keys_and_tokens() {
    let mut random = Script(alloc::vec![
        NONCE.to_vec(),
        hex!("498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560").to_vec(),
        hex!("107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A").to_vec(),
    ]);
    let (state, answer) = nonce(VARIANT, &PASSWORD_KEY_SOURCE, &mut random).unwrap();
    assert_eq!(answer, tlv::object(0x80, &ENCRYPTED_NONCE));
    let PaceState::Nonce(_, sent) = state else { panic!() };
    assert_eq!(*sent, NONCE);

    let (state, answer) = map(VARIANT, &sent, &mapping_key_of_terminal(), &mut random).unwrap();
    let own = key(
        &hex!("824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57"),
        &hex!("30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54"),
    );
    assert_eq!(answer, tlv::object(0x82, own.as_bytes()));
    let PaceState::Mapped(_, generator) = state else { panic!() };

    let (state, answer) =
        agree(VARIANT, &generator, ephemeral_key_of_terminal(), &mut random).unwrap();
    let own = key(
        &hex!("9E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB"),
        &hex!("7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094"),
    );
    assert_eq!(answer, tlv::object(0x84, own.as_bytes()));
    let PaceState::Agreed { terminal, card, secret, .. } = state else { panic!() };
    assert_eq!(
        secret[..],
        hex!("28768D20701247DAE81804C9E780EDE582A9996DB4A315020B2733197DB84925")
    );
    let token = confirm(VARIANT, &terminal, &card, &secret, &hex!("C2B0BD78D94BA866"));
    assert_eq!(token, Ok(hex!("3ABB9674BCE93C08")));
}

#[test]
fn refuses_a_wrong_token_in_each_bit() {
    let card = mapping_key_of_terminal();
    let terminal = ephemeral_key_of_terminal();
    let key = derive(VARIANT.cipher, b"secret", AUTHENTICATION);
    let right = authentication_token(VARIANT, &key, &card).unwrap();
    for bit in 0..64 {
        let mut token = right;
        token[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(confirm(VARIANT, &terminal, &card, b"secret", &token), Err(FAILED));
    }
    assert!(confirm(VARIANT, &terminal, &card, b"secret", &right).is_ok());
    assert_eq!(confirm(VARIANT, &terminal, &card, b"secret", &right[..7]), Err(FAILED));
}

#[test]
fn refuses_its_own_keys_sent_back() {
    let secret = hex!("498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560");
    let own = SecretScalar::from_bytes(VARIANT.curve, &secret).unwrap().public_point();
    let mut random = Script(alloc::vec![secret.to_vec()]);
    assert_eq!(map(VARIANT, &NONCE, &own, &mut random).err(), Some(FAILED));
    let mut random = Script(alloc::vec![secret.to_vec()]);
    let generator = Point::generator(VARIANT.curve);
    assert_eq!(agree(VARIANT, &generator, own, &mut random).err(), Some(FAILED));
}

#[test]
fn refuses_points_that_are_not_on_the_curve() {
    let mut bytes = mapping_key_of_terminal().to_uncompressed();
    bytes[64] ^= 1;
    assert_eq!(point(VARIANT.curve, &tlv::object(0x81, &bytes), 0x81).err(), Some(FAILED));
    assert_eq!(point(VARIANT.curve, &tlv::object(0x81, &[0]), 0x81).err(), Some(FAILED));
}
