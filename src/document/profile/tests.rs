use super::*;
use proptest::prelude::*;

const SOURCE: &str = include_str!("../../../profiles/can-cuoc-2021.toml");

#[test]
fn reads_every_built_in_profile() {
    for name in CardProfile::NAMES {
        assert_eq!(CardProfile::builtin(name).unwrap().name, name);
    }
}

#[test]
fn has_a_profile_for_every_standardised_domain_parameter() {
    for parameter in [0, 1, 2].into_iter().chain(8..=18) {
        let profile = CardProfile::builtin(&format!("domain-{parameter:02}")).unwrap();
        let [pace] = &profile.access.pace[..] else { panic!("one PACE configuration") };
        assert_eq!(pace.parameter, parameter);
        assert_eq!(profile.chip_authentication[0].domain_parameter_id(), Some(parameter));
    }
}

#[test]
fn lays_a_profile_over_the_one_it_builds_on() {
    let own = "extends = \"can-cuoc-2021\"\nname = \"own\"\n[sod]\nversion = 1\n\
               [access]\nbac = false\n[qr]\nfields = [\"full_name\"]\n";
    let own = CardProfile::from_toml(own).unwrap();
    let base = CardProfile::can_cuoc_2021();
    assert_eq!((own.name.as_str(), own.sod.version, own.access.bac), ("own", 1, false));
    // A table keeps what is not said again; an array is replaced.
    assert_eq!(own.access.pace, base.access.pace);
    assert_eq!(own.qr.fields, ["full_name"]);
    assert_eq!(own.files, base.files);
}

#[test]
fn refuses_to_build_on_what_is_no_built_in_profile() {
    for source in ["extends = \"/etc/passwd\"", "extends = 1"] {
        let error = CardProfile::from_toml(source).unwrap_err();
        assert!(matches!(error, ProfileError::Invalid { field: "extends", .. }), "{error}");
    }
}

#[test]
fn reads_a_protocol_by_its_name_and_by_its_number() {
    let profile = CardProfile::builtin("eac-full").unwrap();
    let found: Vec<String> = profile.access.pace.iter().map(|p| p.protocol.to_string()).collect();
    let base = "0.4.0.127.0.7.2.2.4";
    assert_eq!(found, ["2.2", "4.3", "6.4", "1.4", "2.4"].map(|rest| format!("{base}.{rest}")));
    let keys = profile.chip_authentication.iter().map(|key| key.protocol.to_string());
    let base = "0.4.0.127.0.7.2.2.3";
    assert_eq!(
        keys.collect::<Vec<_>>(),
        ["2.2", "2.4", "1.1", "2.4"].map(|r| format!("{base}.{r}"))
    );
}

#[test]
fn refuses_protocols_and_keys_that_do_not_fit_each_other() {
    let eac = include_str!("../../../profiles/eac-full.toml");
    let pace = "access.pace";
    let chip = "chip_authentication";
    let cases = [
        ("parameter = 12 }", "parameter = 2 }", pace),
        ("parameter = 12 }", "parameter = 19 }", pace),
        ("parameter = 12 }", "parameter = 33 }", pace),
        (
            "ECDH-IM-AES-CBC-CMAC-192\", parameter = 12",
            "ECDH-GM-AES-CBC-CMAC-128\", parameter = 13",
            pace,
        ),
        (
            "ECDH-CAM-AES-CBC-CMAC-256\", parameter = 13",
            "ECDH-CAM-AES-CBC-CMAC-256\", parameter = 12",
            pace,
        ),
        ("use = [\"pace_cam\"]", "use = [\"chip_authentication\"]", pace),
        ("key_id = 13", "key_id = 4", pace),
        ("AES-CBC-CMAC-192\", parameter = 12", "AES-CBC-CMAC-192\", parameter = 10", pace),
        ("use = [\"chip_authentication\"]", "use = [\"pace_cam\"]", pace),
        ("id = 32", "id = 13", "access.domain_parameters"),
        ("id = 32", "id = 128", "access.domain_parameters"),
        (
            "\"id-PACE-ECDH-GM\", parameter = 16",
            "\"id-PACE-ECDH-GM\", parameter = 1",
            "access.domain_parameters",
        ),
        (
            "\"id-PACE-ECDH-GM\", parameter = 16",
            "\"id-CA-DH-3DES-CBC-CBC\", parameter = 16",
            "access.domain_parameters",
        ),
        ("key_id = 2", "key_id = 1", chip),
        ("key_id = 2\n", "", chip),
        ("key_id = 2", "key_id = 128", chip),
        ("key_id = 2", "key_id = 2\ninfo = false", chip),
        ("key_id = 2", "key_id = 2\nparameter = 15", chip),
        ("curve = \"P-384\"", "parameter = 0", chip),
        ("use = [\"chip_authentication\"]", "use = []", chip),
        ("digits = 6", "digits = 3", "passwords.pin"),
        ("tries = 3", "tries = 1", "passwords.pin"),
        ("tries = 10", "tries = 16", "passwords.puk"),
        ("pin = { digits = 6, tries = 3 }", "", "passwords.puk"),
        ("terminal_authentication = 1", "trust_points = [\"7F21\"]", "access.trust_points"),
        (
            "terminal_authentication = 1",
            "terminal_authentication = 3",
            "access.terminal_authentication",
        ),
        (
            "algorithm = \"ecdsa\"\ncurve = \"brainpoolP256r1\"",
            "algorithm = \"rsa\"\nbits = 512",
            "active_authentication",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(eac.contains(from), "{from}");
        let error = CardProfile::from_toml(&eac.replacen(from, to, 1)).unwrap_err();
        assert!(
            matches!(&error, ProfileError::Invalid { field, .. } if *field == expected),
            "{from} -> {to}: {error}"
        );
    }
}

#[test]
fn names_the_kinds_of_integrated_documents() {
    let profile = CardProfile::can_cuoc_2024().integrated_documents.as_ref().unwrap();
    assert_eq!(profile.kind_name(3), Some("driving_licence"));
    assert_eq!(profile.kind_number("health_insurance"), Some(1));
    assert_eq!(CardProfile::can_cuoc_2021().integrated_documents, None);
}

#[test]
fn refuses_integrated_documents_that_no_card_can_hold() {
    let own = |change: &str| {
        let source = format!(
            "extends = \"can-cuoc-2024\"\nname = \"own\"\n[integrated_documents]\n{change}\n"
        );
        CardProfile::from_toml(&source).map(drop)
    };
    assert_eq!(own("kinds = [{ number = 28, name = \"last\" }]"), Ok(()));
    for change in [
        "kinds = [{ number = 0, name = \"none\" }]",
        "kinds = [{ number = 29, name = \"beyond\" }]",
        "kinds = [{ number = 1, name = \"Upper\" }]",
        "kinds = [{ number = 1, name = \"a\" }, { number = 1, name = \"b\" }]",
        "kinds = [{ number = 1, name = \"a\" }, { number = 2, name = \"a\" }]",
        "aid = \"F0636163\"",
    ] {
        assert!(matches!(own(change), Err(ProfileError::Invalid { .. })), "{change}");
    }
}

#[test]
fn knows_the_tag_list_order_of_the_card() {
    assert_eq!(CardProfile::can_cuoc_2021().lds.data_groups, [1, 2, 3, 13, 15, 14]);
}

#[test]
fn reads_back_what_it_writes() {
    for name in CardProfile::NAMES {
        let profile = CardProfile::builtin(name).unwrap();
        let text = toml::to_string(profile).unwrap();
        assert_eq!(CardProfile::from_toml(&text).as_ref(), Ok(profile));
    }
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

/// A built-in profile with one of its values replaced, or taken out.
fn altered(name: &str, place: prop::sample::Index, value: Option<&str>) -> String {
    let path = format!("{}/profiles/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    let places: Vec<&str> = source.lines().filter(|line| line.contains(" = ")).collect();
    let chosen = *place.get(&places);
    let (key, _) = chosen.split_once(" = ").unwrap();
    let line = value.map_or(String::new(), |value| format!("{key} = {value}"));
    source.replacen(chosen, &line, 1)
}

proptest! {
    #[test]
    fn a_built_in_profile_with_any_value_altered_is_read_whole_or_refused(
        name in prop::sample::select(CardProfile::NAMES.to_vec()),
        place in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            None, Some("0"), Some("255"), Some("65536"), Some("-1"), Some("true"), Some("\"\""),
            Some("\"F\""), Some("\"P-256\""), Some("[]"), Some("{}"), Some("[1, 1]"),
        ]),
    ) {
        if let Ok(profile) = CardProfile::from_toml(&altered(name, place, value)) {
            // What was accepted says the same when it is written down.
            let written = toml::to_string(&profile).unwrap();
            prop_assert_eq!(CardProfile::from_toml(&written), Ok(profile));
        }
    }

    #[test]
    fn never_panics_on_any_text(text in "\\PC{0,200}") {
        let _ = CardProfile::from_toml(&text);
        let _ = CardProfile::from_toml(&format!("extends = \"icao-base\"\n{text}"));
    }
}
