//! The library over a token: all algorithms, many threads, a token that goes and comes back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cancuoc::keystore::{
    CheckValueMethod, Component, Environment, KeyStoreError, KeyUri, MasterKey, RetryPolicy, Token,
    assemble,
};
use cancuoc::lds::SignatureAlgorithm;
use cancuoc::pki::{KeyKind, Signer, SignerError};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::hash::HashAlgorithm;

use crate::soft_hsm::{PIN, SoftHsm, in_own_process};

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn uri(object: &str) -> KeyUri {
    KeyUri::parse(&format!("pkcs11:token=VN;object={object}")).unwrap()
}

/// The token of this process, asked again without long waits.
fn token() -> Arc<Token> {
    let module = std::env::var_os("CANCUOC_PKCS11_MODULE").unwrap();
    let policy =
        RetryPolicy { first_wait: Duration::from_millis(1), sessions: 3, ..RetryPolicy::default() };
    let pin = Some(PIN.to_owned().into());
    Token::open(&uri("any"), Some(Path::new(&module)), pin, policy).unwrap()
}

/// A token of its own for a test in a process of its own.
fn alone(test: &str) -> bool {
    if std::env::var_os("SOFTHSM2_CONF").is_some() {
        return true;
    }
    let hsm = SoftHsm::with_token();
    in_own_process(&format!("store::{test}"), hsm.faulty_environment())
}

fn plan(text: &str) {
    std::fs::write(std::env::var_os("FAULTY_PLAN").unwrap(), text).unwrap();
}

fn calls(function: &str) -> usize {
    let log = std::fs::read_to_string(std::env::var_os("FAULTY_LOG").unwrap()).unwrap_or_default();
    log.lines().filter(|line| *line == function).count()
}

fn signs(signer: &impl Signer) {
    let (message, algorithm) = (b"message", signer.algorithm());
    let signature = signer.sign_verified(message, &mut random()).unwrap();
    let what = algorithm.description();
    assert_eq!(algorithm.verify(&signer.public_key(), message, &signature), Ok(()), "{what}");
}

#[test]
fn keys_on_every_curve_of_the_token_sign_in_every_form() {
    if !alone("keys_on_every_curve_of_the_token_sign_in_every_form") {
        return;
    }
    let token = token();
    let names =
        ["P-256", "P-384", "P-521", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"];
    for name in names {
        let kind = KeyKind::from_name(name).unwrap();
        let made = token.generate_signing_key(&uri(name), kind, &mut random()).unwrap();
        signs(&made);
        for algorithm in [
            SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha256),
            SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha512),
        ] {
            let again = token.signer(&uri(name)).unwrap();
            assert_eq!(again.public_key(), made.public_key());
            signs(&again.with_algorithm(algorithm).unwrap());
        }
    }
}

#[test]
fn an_rsa_key_signs_by_both_schemes() {
    if !alone("an_rsa_key_signs_by_both_schemes") {
        return;
    }
    let token = token();
    signs(&token.generate_signing_key(&uri("rsa"), KeyKind::Rsa(2048), &mut random()).unwrap());
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
        let pss = SignatureAlgorithm::RsaPss { hash, salt_len: hash.output_len() };
        for algorithm in [SignatureAlgorithm::RsaPkcs1(hash), pss] {
            signs(&token.signer(&uri("rsa")).unwrap().with_algorithm(algorithm).unwrap());
        }
    }
    let pss = KeyUri::parse("pkcs11:token=VN;object=rsa?x-signature=rsa-pss").unwrap();
    let signer = token.signer(&pss).unwrap();
    assert!(matches!(signer.algorithm(), SignatureAlgorithm::RsaPss { .. }));
}

#[test]
fn a_master_key_in_the_token_does_what_one_in_memory_does() {
    if !alone("a_master_key_in_the_token_does_what_one_in_memory_does") {
        return;
    }
    let token = token();
    let parts = ["00112233445566778899AABBCCDDEEFF", "8F1E2D3C4B5A69788796A5B4C3D2E1F0"];
    for cipher in [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256]
    {
        let text = |part: &str| part.repeat(2)[..2 * cipher.key_len()].to_owned();
        let parse = |part: &&str| Component::parse(cipher, 1, &text(part)).unwrap();
        let components: Vec<Component> = parts.iter().map(parse).collect();
        // Twice the same half would be no triple DES.
        let key = assemble(cipher, &components).unwrap();
        let name = uri(cipher.name());
        let imported = token.import_master_key(&name, &key, &mut random()).unwrap();
        let data = [0xC5; 48];
        let iv = &[0x11; 16][..cipher.block_len()];
        assert_eq!(imported.cipher(), cipher);
        assert_eq!(imported.encrypt_ecb(&data).unwrap(), key.encrypt_ecb(&data).unwrap());
        assert_eq!(imported.encrypt_cbc(iv, &data).unwrap(), key.encrypt_cbc(iv, &data).unwrap());
        if cipher == BlockCipher::Tdes {
            assert!(imported.cmac(b"x").is_err());
        } else {
            for message in [&b""[..], b"x", &data] {
                assert_eq!(imported.cmac(message).unwrap(), key.cmac(message).unwrap());
            }
        }
        let made = uri(&format!("made {}", cipher.name()));
        let made = token.generate_master_key(&made, cipher, &mut random()).unwrap();
        assert_eq!(made.cipher(), cipher);
        assert_ne!(
            made.check_value(CheckValueMethod::Zeros).unwrap(),
            key.check_value(CheckValueMethod::Zeros).unwrap()
        );
    }
}

#[test]
fn keys_cannot_be_taken_out_or_used_for_something_else() {
    if !alone("keys_cannot_be_taken_out_or_used_for_something_else") {
        return;
    }
    let token = token();
    let p256 = KeyKind::from_name("P-256").unwrap();
    token.generate_signing_key(&uri("ds"), p256, &mut random()).unwrap();
    token.generate_master_key(&uri("master"), BlockCipher::Aes128, &mut random()).unwrap();
    let objects = token.objects(&KeyUri::default()).unwrap();
    let protected: Vec<bool> = objects.iter().filter_map(|object| object.protected).collect();
    assert_eq!(protected, [true, true]);
    assert_eq!(token.environment().unwrap(), Some(Environment::Test));
    let other = token.require(Environment::Production).unwrap_err();
    assert!(matches!(other, KeyStoreError::Environment { .. }), "{other}");
}

#[test]
fn many_threads_share_few_sessions() {
    if !alone("many_threads_share_few_sessions") {
        return;
    }
    let token = token();
    let p256 = KeyKind::from_name("P-256").unwrap();
    let signer = token.generate_signing_key(&uri("ds"), p256, &mut random()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| signs(&signer)));
        }
    });
    assert!(calls("C_OpenSession") <= 3, "{}", calls("C_OpenSession"));
    assert!(calls("C_Login") <= 3);
}

#[test]
fn a_token_that_was_gone_is_logged_in_again_and_signs_on() {
    if !alone("a_token_that_was_gone_is_logged_in_again_and_signs_on") {
        return;
    }
    let token = token();
    let p256 = KeyKind::from_name("P-256").unwrap();
    let signer = token.generate_signing_key(&uri("ds"), p256, &mut random()).unwrap();
    let logins = calls("C_Login");
    // CKR_DEVICE_REMOVED while signing, then CKR_TOKEN_NOT_PRESENT twice.
    plan("C_Sign 0x32 1\nC_OpenSession 0xE0 2\n");
    signs(&signer);
    assert!(calls("C_Login") > logins);
    assert!(calls("C_Finalize") > 0);
    // CKR_SESSION_HANDLE_INVALID: a new session is enough.
    let starts = calls("C_Finalize");
    plan("C_Sign 0xB3 1\n");
    signs(&signer);
    assert_eq!(calls("C_Finalize"), starts);
    // The folder of the token is away, as an HSM without its network is.
    let configuration = std::env::var("SOFTHSM2_CONF").unwrap();
    let tokens = Path::new(&configuration).with_file_name("tokens");
    let away = tokens.with_file_name("away");
    plan("C_Sign 0x30 1\n");
    std::fs::rename(&tokens, &away).unwrap();
    std::fs::create_dir(&tokens).unwrap();
    let gone = signer.sign_verified(b"m", &mut random()).unwrap_err();
    assert!(matches!(gone, SignerError::Unavailable(_)), "{gone}");
    std::fs::remove_dir(&tokens).unwrap();
    std::fs::rename(&away, &tokens).unwrap();
    signs(&signer);
}

#[test]
fn a_token_that_does_not_answer_is_asked_so_often_and_no_more() {
    if !alone("a_token_that_does_not_answer_is_asked_so_often_and_no_more") {
        return;
    }
    let token = token();
    let p256 = KeyKind::from_name("P-256").unwrap();
    let signer = token.generate_signing_key(&uri("ds"), p256, &mut random()).unwrap();
    let before = calls("C_Sign");
    // CKR_DEVICE_ERROR; a code of a vendor, as for throttling.
    plan("C_Sign 0x30 3\nC_Sign 0x80000004 99\n");
    let error = signer.sign_verified(b"m", &mut random()).unwrap_err();
    assert!(matches!(error, SignerError::Unavailable(_)), "{error}");
    assert_eq!(calls("C_Sign") - before, 6);
    plan("");
    signs(&signer);
}

#[test]
fn wrong_signatures_are_thrown_away_and_after_three_the_key_signs_no_more() {
    if !alone("wrong_signatures_are_thrown_away_and_after_three_the_key_signs_no_more") {
        return;
    }
    let token = token();
    let p256 = KeyKind::from_name("P-256").unwrap();
    let signer = token.generate_signing_key(&uri("ds"), p256, &mut random()).unwrap();
    plan("C_Sign wrong 2\n");
    signs(&signer);
    plan("C_Sign wrong 1\n");
    let stopped = SignerError::WrongSignatures { count: 3 };
    assert_eq!(signer.sign_verified(b"m", &mut random()), Err(stopped.clone()));
    let before = calls("C_Sign");
    plan("");
    assert_eq!(signer.sign_verified(b"m", &mut random()), Err(stopped));
    assert_eq!(calls("C_Sign"), before);
}

#[test]
fn a_wrong_pin_is_shown_to_the_token_once_whoever_asks() {
    if !alone("a_wrong_pin_is_shown_to_the_token_once_whoever_asks") {
        return;
    }
    let module = std::env::var_os("CANCUOC_PKCS11_MODULE").unwrap();
    let pin = Some("wrong".to_owned().into());
    let token =
        Token::open(&uri("ds"), Some(Path::new(&module)), pin, RetryPolicy::default()).unwrap();
    for _ in 0..5 {
        let error = token.objects(&KeyUri::default()).unwrap_err();
        assert!(matches!(error, KeyStoreError::PinWrong), "{error}");
    }
    assert_eq!(calls("C_Login"), 1);
}
