use super::*;
use proptest::prelude::*;

const SOURCE: &str = include_str!("../../../profiles/can-cuoc-2021.toml");

#[test]
fn reads_every_built_in_profile() {
    for name in CardProfile::NAMES {
        assert_eq!(CardProfile::builtin(name).unwrap().name, name);
    }
    CardProfile::from_toml(include_str!("../../../profiles/can-cuoc-2024.toml")).unwrap();
}

#[test]
fn knows_the_tag_list_order_of_the_card() {
    assert_eq!(CardProfile::can_cuoc_2021().lds.data_groups, [1, 2, 3, 13, 15, 14]);
}

#[test]
fn reads_back_what_it_writes() {
    let profile = CardProfile::can_cuoc_2021();
    let text = toml::to_string(profile).unwrap();
    assert_eq!(CardProfile::from_toml(&text).as_ref(), Ok(profile));
}

#[test]
fn names_the_profiles_there_are_when_asked_for_another() {
    let error = CardProfile::builtin("x").unwrap_err().to_string();
    assert!(error.contains("can-cuoc-2021, can-cuoc-2024"), "{error}");
}

#[test]
fn refuses_profiles_that_contradict_themselves() {
    let cases = [
        ("can_digits = 6", "can_digits = 7", "passwords.can_digits"),
        ("[1, 2, 3, 13, 15, 14]", "[1, 2, 3, 12]", "lds.data_groups"),
        ("[1, 2, 3, 13, 15, 14]", "[1, 2, 2]", "lds.data_groups"),
        ("[1, 2, 3, 13, 15, 14]", "[1, 13]", "lds.data_groups"),
        ("fid = \"010D\"", "fid = \"010E\"", "lds.data_groups"),
        ("fid = \"2F01\"", "fid = \"2F00\"", "files"),
        ("number = 2,", "number = 1,", "dg13.fields"),
        ("name = \"full_name\"", "name = \"fullname\"", "dg13.fields"),
        ("parameter = 13", "parameter = 2", "access.pace"),
        ("0.4.0.127.0.7.2.2.4.2.2", "0.4.0.127.0.7.2.2.3.2.2", "access.pace"),
        ("0.4.0.127.0.7.2.2.3.2.2", "0.4.0.127.0.7.2.2.3.1.2", "chip_authentication"),
        ("9401E0", "9401", "atr_info"),
        ("version = \"0107\"", "version = \"107\"", "lds.version"),
    ];
    for (from, to, expected) in cases {
        assert!(SOURCE.contains(from), "{from}");
        let error = CardProfile::from_toml(&SOURCE.replacen(from, to, 1)).unwrap_err();
        assert!(
            matches!(&error, ProfileError::Invalid { field, .. } if *field == expected),
            "{from} -> {to}: {error}"
        );
    }
}

#[test]
fn refuses_unknown_keys_and_says_where() {
    let error = CardProfile::from_toml(&SOURCE.replace("bac =", "back =")).unwrap_err();
    assert!(error.to_string().contains("back"), "{error}");
}

proptest! {
    #[test]
    fn never_panics_on_any_text(text in "\\PC{0,200}") {
        let _ = CardProfile::from_toml(&text);
    }
}
