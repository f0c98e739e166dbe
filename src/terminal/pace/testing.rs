//! What the tests of PACE share: the worked examples of ICAO 9303-11 appendices G, H and I.

/// The values of a worked example, by name.
pub(super) fn vectors(example: &str) -> impl Fn(&str) -> Vec<u8> + use<> {
    let text = match example {
        "pace-ecdh-gm" => include_str!("../../../testvectors/icao-9303-11/pace-ecdh-gm.txt"),
        "pace-dh-gm" => include_str!("../../../testvectors/icao-9303-11/pace-dh-gm.txt"),
        "pace-ecdh-im" => include_str!("../../../testvectors/icao-9303-11/pace-ecdh-im.txt"),
        "pace-dh-im" => include_str!("../../../testvectors/icao-9303-11/pace-dh-im.txt"),
        "pace-ecdh-cam" => include_str!("../../../testvectors/icao-9303-11/pace-ecdh-cam.txt"),
        other => panic!("no example {other}"),
    };
    move |name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        hex::decode(line.unwrap_or_else(|| panic!("no vector {name}"))).unwrap()
    }
}
