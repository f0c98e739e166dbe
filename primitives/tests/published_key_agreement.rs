//! Published vectors of key agreement in the groups that Project Wycheproof does not have.
#![allow(clippy::unwrap_used)]

use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};

const VECTORS: &str = include_str!("../../testvectors/key-agreement.txt");

/// The values with a name, in their order.
fn values(name: &str) -> Vec<Vec<u8>> {
    let line = |line: &'static str| line.strip_prefix(name)?.strip_prefix(": ");
    let bytes = |text: &str| {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    VECTORS.lines().filter_map(line).map(bytes).collect()
}

#[test]
fn agrees_on_the_published_secrets_from_both_sides() {
    let parameters = values("parameters");
    assert_eq!(parameters, [[0], [1], [2], [11]]);
    for (index, id) in parameters.iter().enumerate() {
        let group = DomainParameters::standardised(id[0]).unwrap();
        let of = |name| values(name)[index].clone();
        let secret = |name| GroupSecret::from_bytes(&group, &of(name)).unwrap();
        let public = |name| PublicElement::decode(&group, &of(name)).unwrap();
        let (a, b) = (secret("secret_a"), secret("secret_b"));
        assert_eq!(a.public_element(), public("public_a"), "{}", group.name());
        assert_eq!(b.public_element(), public("public_b"), "{}", group.name());
        let shared = public("public_b").shared_secret(&a).unwrap();
        assert_eq!(*shared, of("shared"), "{}", group.name());
        assert_eq!(public("public_a").shared_secret(&b).unwrap(), shared, "{}", group.name());
    }
}

#[test]
fn agrees_on_the_secret_of_a_vector_on_p_192() {
    // NIST CAVP, KAS ECC CDH primitive, P-192, count 0.
    let group = DomainParameters::standardised(8).unwrap();
    let public = hex_literal::hex!(
        "04 42ea6dd9969dd2a61fea1aac7f8e98edcc896c6e55857cc0"
        "dfbe5d7c61fac88b11811bde328e8a0d12bf01a9d204b523"
    );
    let secret = hex_literal::hex!("f17d3fea367b74d340851ca4270dcb24c271f445bed9d527");
    let secret = GroupSecret::from_bytes(&group, &secret).unwrap();
    let shared = PublicElement::decode(&group, &public).unwrap().shared_secret(&secret).unwrap();
    assert_eq!(*shared, hex_literal::hex!("803d8ab2e5b6e6fca715737c3a82f7ce3c783124f6d51cd0"));
}
