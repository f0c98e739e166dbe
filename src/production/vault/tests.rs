//! Sealing, and everything that must not open.

use std::os::unix::fs::PermissionsExt;

use hex_literal::hex;
use proptest::prelude::*;

use super::*;

const RECORD: &[u8] = b"{\"name\":\"Nguyen Thi Mau\"}";
const BINDING: Binding<'static> = Binding { record: "REC-1", run: "R1" };

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn site_key() -> SoftwareSiteKey {
    SoftwareSiteKey::random(&mut random())
}

fn sealed(key: &SoftwareSiteKey) -> Vec<u8> {
    seal(key, &BINDING, RECORD, &mut random()).unwrap()
}

#[test]
fn encrypts_as_published() {
    // McGrew and Viega, The Galois/Counter Mode of Operation, test cases 14 and 16 (part of it).
    let encrypted = gcm_seal(&[0; 32], &[0; 12], b"", &[0; 16]).unwrap();
    assert_eq!(
        encrypted,
        hex!("cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919")
    );
    let key = hex!("feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308");
    let aad = hex!("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let message = hex!(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    );
    let encrypted = gcm_seal(&key, &hex!("cafebabefacedbaddecaf888"), &aad, &message).unwrap();
    assert_eq!(encrypted[60..], hex!("76fc6ece0f4e1768cddf8853bb2d551b"));
}

#[test]
fn what_is_sealed_opens_under_its_key_alone() {
    let (key, other) = (site_key(), site_key());
    let sealed = sealed(&key);
    assert_eq!(sealed.len(), RECORD.len() + OVERHEAD);
    assert_eq!(*open(&[&other, &key], &BINDING, &sealed).unwrap(), RECORD);
    assert_eq!(open(&[&other], &BINDING, &sealed), Err(VaultError::OtherKey(key.id())));
    assert!(!sealed.windows(6).any(|part| RECORD.windows(6).any(|clear| clear == part)));
}

#[test]
fn no_two_sealings_are_alike() {
    let key = site_key();
    let (one, two) = (sealed(&key), sealed(&key));
    // Data keys, nonces and records differ: nothing but mark and identifier is the same.
    assert_eq!(one[..12], two[..12]);
    for range in [12..24, 24..72, 72..84, 84..100] {
        assert_ne!(one[range.clone()], two[range]);
    }
}

#[test]
fn what_is_put_in_anothers_place_does_not_open() {
    let key = site_key();
    let mine = sealed(&key);
    for binding in [Binding { record: "REC-2", run: "R1" }, Binding { record: "REC-1", run: "R2" }]
    {
        assert_eq!(open(&[&key], &binding, &mine), Err(VaultError::Altered));
        let other = seal(&key, &binding, RECORD, &mut random()).unwrap();
        let mixed = [&other[..HEADER], &mine[HEADER..]].concat();
        assert_eq!(open(&[&key], &binding, &mixed), Err(VaultError::Altered));
        assert_eq!(open(&[&key], &BINDING, &mixed), Err(VaultError::Altered));
    }
}

#[test]
fn bindings_with_the_same_letters_differ() {
    let one = Binding { record: "AB", run: "C" }.for_record();
    assert_ne!(one, Binding { record: "A", run: "BC" }.for_record());
    assert_ne!(one, Binding { record: "AB", run: "C" }.for_key(SiteKeyId::new([0; 8])));
}

#[test]
fn a_new_site_key_takes_over_without_the_record_being_encrypted_anew() {
    let (old, new) = (site_key(), site_key());
    let before = sealed(&old);
    let after = rewrap(&old, &new, &BINDING, &before, &mut random()).unwrap().unwrap();
    assert_eq!(after[HEADER..], before[HEADER..]);
    assert_eq!(*open(&[&new], &BINDING, &after).unwrap(), RECORD);
    assert_eq!(open(&[&old], &BINDING, &after), Err(VaultError::OtherKey(new.id())));
    assert_eq!(rewrap(&old, &new, &BINDING, &after, &mut random()), Ok(None), "twice is once");
}

#[test]
fn a_record_that_does_not_open_is_not_wrapped_anew() {
    let (old, new) = (site_key(), site_key());
    let mut damaged = sealed(&old);
    *damaged.last_mut().unwrap() ^= 1;
    let wrapped = rewrap(&old, &new, &BINDING, &damaged, &mut random());
    assert_eq!(wrapped, Err(VaultError::Altered));
}

#[test]
fn a_record_that_is_too_long_is_refused_both_ways() {
    let long = vec![0; MAX_RECORD + 1];
    assert_eq!(seal(&site_key(), &BINDING, &long, &mut random()), Err(VaultError::TooLong));
    let long = vec![0; MAX_RECORD + OVERHEAD + 1];
    assert_eq!(open(&[], &BINDING, &long), Err(VaultError::TooLong));
}

#[test]
fn the_file_of_a_site_key_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.key");
    let key = site_key();
    key.save(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SoftwareSiteKey::load(&path).unwrap().id(), key.id());
    assert!(matches!(key.save(&path), Err(SiteKeyFileError::File { .. })), "it is not replaced");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = SoftwareSiteKey::load(&path);
    assert!(matches!(refused, Err(SiteKeyFileError::Mode { mode: 0o640, .. })), "{refused:?}");
}

#[test]
fn a_file_of_something_else_is_no_site_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.key");
    for content in ["", "00", &"g".repeat(64), &"0".repeat(66), &"0".repeat(4096)] {
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = SoftwareSiteKey::load(&path);
        assert!(matches!(refused, Err(SiteKeyFileError::Malformed { .. })), "{content}");
    }
}

#[test]
fn keys_are_not_shown() {
    assert_eq!(
        format!("{:?} {:?}", site_key(), DataKey::random(&mut random())),
        "SoftwareSiteKey(***) DataKey(***)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_sealed_opens_again(record in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let key = site_key();
        let sealed = seal(&key, &BINDING, &record, &mut random()).unwrap();
        prop_assert_eq!(&*open(&[&key], &BINDING, &sealed).unwrap(), &record);
    }

    #[test]
    fn nothing_altered_opens(place in any::<prop::sample::Index>(), bits in 1u8..=255) {
        let key = site_key();
        let mut sealed = sealed(&key);
        let place = place.index(sealed.len());
        sealed[place] ^= bits;
        prop_assert!(open(&[&key], &BINDING, &sealed).is_err());
    }

    #[test]
    fn nothing_cut_off_opens(length in any::<prop::sample::Index>()) {
        let key = site_key();
        let sealed = sealed(&key);
        prop_assert!(open(&[&key], &BINDING, &sealed[..length.index(sealed.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_harm(marked in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = site_key();
        let bytes = [if marked { &MARK[..] } else { b"" }, &bytes].concat();
        prop_assert!(open(&[&key], &BINDING, &bytes).is_err());
        prop_assert!(rewrap(&key, &key, &BINDING, &bytes, &mut random()).is_err());
    }
}
