use super::*;
use alloc::vec;
use hex_literal::hex;
use proptest::prelude::*;

use crate::test_random::Counter;

#[test]
fn the_parameters_are_those_of_the_crates() {
    for curve in Curve::ALL {
        let one = SecretScalar::from_bytes(curve, &[1]).unwrap();
        assert_eq!(one.public_point(), Point::generator(curve), "{}", curve.name());
    }
}

#[test]
fn the_order_annihilates_the_generator() {
    for curve in Curve::ALL {
        let mut n = curve.parameters().n.to_vec();
        assert_eq!(
            SecretScalar::from_bytes(curve, &n).err(),
            Some(CurveError::ScalarRange),
            "{}",
            curve.name()
        );
        *n.last_mut().unwrap() -= 1;
        let minus_one = SecretScalar::from_bytes(curve, &n).unwrap().public_point();
        assert_eq!(minus_one.add(&Point::generator(curve)), Err(CurveError::Identity));
    }
}

#[test]
fn both_sides_agree_on_every_curve() {
    let mut random = Counter(7);
    for curve in Curve::ALL {
        let (a, b) =
            (SecretScalar::random(curve, &mut random), SecretScalar::random(curve, &mut random));
        let shared = b.public_point().multiply(&a).unwrap();
        assert_eq!(shared, a.public_point().multiply(&b).unwrap(), "{}", curve.name());
        assert_eq!(shared.x_coordinate().len(), curve.field_len());
        assert_eq!(Point::from_uncompressed(curve, &shared.to_uncompressed()), Ok(shared));
    }
}

#[test]
fn gives_the_published_brainpool_key_agreements() {
    // RFC 7027 appendix A.
    type Case = (Curve, &'static [u8], &'static [u8], &'static [u8]);
    let cases: [Case; 3] = [
        (
            Curve::BrainpoolP256r1,
            &hex!("81DB1EE100150FF2EA338D708271BE38300CB54241D79950F77B063039804F1D"),
            &hex!("55E40BC41E37E3E2AD25C3C6654511FFA8474A91A0032087593852D3E7D76BD3"),
            &hex!("89AFC39D41D3B327814B80940B042590F96556EC91E6AE7939BCE31F3A18BF2B"),
        ),
        (
            Curve::BrainpoolP384r1,
            &hex!(
                "1E20F5E048A5886F1F157C74E91BDE2B98C8B52D58E5003D57053FC4B0BD65D6F15EB5D1EE1610DF870795143627D042"
            ),
            &hex!(
                "032640BC6003C59260F7250C3DB58CE647F98E1260ACCE4ACDA3DD869F74E01F8BA5E0324309DB6A9831497ABAC96670"
            ),
            &hex!(
                "0BD9D3A7EA0B3D519D09D8E48D0785FB744A6B355E6304BC51C229FBBCE239BBADF6403715C35D4FB2A5444F575D4F42"
            ),
        ),
        (
            Curve::BrainpoolP512r1,
            &hex!(
                "16302FF0DBBB5A8D733DAB7141C1B45ACBC8715939677F6A56850A38BD87BD59B09E80279609FF333EB9D4C061231FB26F92EEB04982A5F1D1764CAD57665422"
            ),
            &hex!(
                "230E18E1BCC88A362FA54E4EA3902009292F7F8033624FD471B5D8ACE49D12CFABBC19963DAB8E2F1EBA00BFFB29E4D72D13F2224562F405CB80503666B25429"
            ),
            &hex!(
                "A7927098655F1F9976FA50A9D566865DC530331846381C87256BAF3226244B76D36403C024D7BBF0AA0803EAFF405D3D24F11A9B5C0BEF679FE1454B21C4CD1F"
            ),
        ),
    ];
    for (curve, a, b, z) in cases {
        let a = SecretScalar::from_bytes(curve, a).unwrap();
        let b = SecretScalar::from_bytes(curve, b).unwrap();
        let shared = b.public_point().multiply(&a).unwrap();
        assert_eq!(shared.x_coordinate(), z, "{}", curve.name());
    }
}

#[test]
fn refuses_points_that_are_not_plain_points_of_the_curve() {
    let curve = Curve::P256;
    let good = Point::generator(curve).to_uncompressed();
    let mut off = good.clone();
    *off.last_mut().unwrap() ^= 1;
    assert_eq!(Point::from_uncompressed(curve, &off), Err(CurveError::NotOnCurve("P-256")));
    let mut compressed = vec![2];
    compressed.extend(&good[1..33]);
    for bad in [vec![0], vec![], compressed, good[..64].to_vec()] {
        assert_eq!(Point::from_uncompressed(curve, &bad), Err(CurveError::PointEncoding));
    }
}

fn explicit(p: &'static CurveParameters, generator: &'static [u8]) -> ExplicitParameters<'static> {
    ExplicitParameters { p: p.p, a: p.a, b: p.b, generator, n: p.n, cofactor: Some(&[1]) }
}

#[test]
fn matches_explicit_parameters_to_their_curve() {
    for curve in Curve::ALL {
        let generator = Point::generator(curve).to_uncompressed().leak();
        assert_eq!(Curve::from_explicit(&explicit(curve.parameters(), generator)), Some(curve));
    }
}

#[test]
fn refuses_explicit_parameters_with_another_generator_or_cofactor() {
    let p = Curve::P256.parameters();
    let own = Point::generator(Curve::P256).add(&Point::generator(Curve::P256)).unwrap();
    assert_eq!(Curve::from_explicit(&explicit(p, own.to_uncompressed().leak())), None);
    let generator = Point::generator(Curve::P256).to_uncompressed().leak();
    let cofactor = ExplicitParameters { cofactor: Some(&[2]), ..explicit(p, generator) };
    assert_eq!(Curve::from_explicit(&cofactor), None);
    let other_b = ExplicitParameters { b: p.a, ..explicit(p, generator) };
    assert_eq!(Curve::from_explicit(&other_b), None);
}

#[test]
fn identifiers_are_found_again() {
    for curve in Curve::ALL {
        assert_eq!(Curve::from_oid(&curve.oid()), Some(curve));
        assert_eq!(Curve::from_domain_parameter_id(curve.domain_parameter_id()), Some(curve));
        assert_eq!(Curve::from_name(curve.name()), Some(curve));
    }
}

proptest! {
    #[test]
    fn reading_points_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..140), id in 8u8..19) {
        let curve = Curve::from_domain_parameter_id(id).unwrap();
        let _ = Point::from_uncompressed(curve, &bytes);
        let _ = SecretScalar::from_bytes(curve, &bytes);
    }
}
