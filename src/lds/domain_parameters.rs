//! AlgorithmIdentifiers that name a group: in the SubjectPublicKeyInfo of a key, and in a
//! PACEDomainParameterInfo (ICAO 9303-11 §9.2.2, BSI TR-03110-3 §A.2.1.1, RFC 3279 §2.3.3 and
//! §2.3.5, PKCS #3).

use cancuoc_primitives::curve::{Curve, ExplicitParameters, Point};
use cancuoc_primitives::dh::DhGroup;
use cancuoc_primitives::group::DomainParameters;
use const_oid::ObjectIdentifier;

use super::{Element, ParameterForm, PublicKeyError, tag, write};

const FILE: &str = "domain parameters";
/// id-ecPublicKey: a curve by name or by all its numbers.
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// dhpublicnumber: p, g and q (X9.42).
const DH_PUBLIC_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10046.2.1");
/// dhKeyAgreement: p and g (PKCS #3).
const DH_KEY_AGREEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1");
/// standardizedDomainParameters: a number.
const STANDARDISED: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.2");
const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

/// How the numbers p, g and, where it is given, q become a group.
type PrimeField = fn(&[u8], &[u8], Option<&[u8]>) -> Result<DhGroup, PublicKeyError>;

/// Reads an AlgorithmIdentifier that names a standardised group, and says whether by name or by all
/// its numbers.
///
/// # Errors
/// [`PublicKeyError`]; [`PublicKeyError::ExplicitParameters`] for numbers of which one, generator and
/// cofactor included, is not a standardised group's. Nothing is computed with them: EF.CardAccess,
/// where they stand, is anybody's.
pub fn decode_domain_parameters(
    bytes: &[u8],
) -> Result<(DomainParameters, ParameterForm), PublicKeyError> {
    let mut children = Element::parse(FILE, bytes)?.expect(tag::SEQUENCE)?.children();
    let oid = children.any()?.oid()?;
    let parameters = children.any()?;
    children.finish()?;
    read_with(&oid, &parameters, |p, g, q| {
        DhGroup::recognised(p, g, q).ok_or(PublicKeyError::ExplicitParameters)
    })
}

/// The AlgorithmIdentifier of a group: by name where the form asks for it.
#[must_use]
pub fn encode_domain_parameters(parameters: &DomainParameters, form: ParameterForm) -> Vec<u8> {
    match (parameters, form) {
        (DomainParameters::Ec(curve), form) => {
            let parameters = match form {
                ParameterForm::Named => write::oid(&curve.oid()),
                ParameterForm::Explicit => write_curve(*curve),
            };
            write::sequence(&[&write::oid(&EC_PUBLIC_KEY), &parameters])
        }
        (DomainParameters::Dh(group), form) => match (form, group.domain_parameter_id()) {
            (ParameterForm::Named, Some(id)) => {
                write::sequence(&[&write::oid(&STANDARDISED), &write::integer(id.into())])
            }
            _ => write_prime_field(group),
        },
    }
}

/// Reads the group of a key. The numbers of a curve are taken only where all of them equal a
/// standardised curve's (CVE-2020-0601); those of a prime field where the prime is prime, of 1024 to
/// 4096 bits, and the generator generates what it should.
pub(super) fn read(
    oid: &ObjectIdentifier,
    parameters: &Element<'_>,
) -> Result<(DomainParameters, ParameterForm), PublicKeyError> {
    read_with(oid, parameters, |p, g, q| {
        DhGroup::explicit(p, g, q).map_err(PublicKeyError::PrimeField)
    })
}

fn read_with(
    oid: &ObjectIdentifier,
    parameters: &Element<'_>,
    field: PrimeField,
) -> Result<(DomainParameters, ParameterForm), PublicKeyError> {
    match *oid {
        EC_PUBLIC_KEY => {
            let (curve, form) = read_curve(parameters)?;
            Ok((DomainParameters::Ec(curve), form))
        }
        DH_PUBLIC_NUMBER => {
            let mut numbers = parameters.expect(tag::SEQUENCE)?.children();
            let p = numbers.any()?.positive_integer()?;
            let g = numbers.any()?.positive_integer()?;
            let q = numbers.any()?.positive_integer()?;
            // Cofactor and seed may follow: they follow from the others, or prove nothing here.
            Ok((DomainParameters::Dh(field(p, g, Some(q))?), ParameterForm::Explicit))
        }
        DH_KEY_AGREEMENT => {
            let mut numbers = parameters.expect(tag::SEQUENCE)?.children();
            let p = numbers.any()?.positive_integer()?;
            let g = numbers.any()?.positive_integer()?;
            Ok((DomainParameters::Dh(field(p, g, None)?), ParameterForm::Explicit))
        }
        STANDARDISED => {
            let number = parameters.small_integer()?;
            let known = u8::try_from(number).ok().and_then(DomainParameters::standardised);
            let known = known.ok_or(PublicKeyError::Standardised(number))?;
            Ok((known, ParameterForm::Named))
        }
        other => Err(PublicKeyError::Algorithm(other)),
    }
}

fn read_curve(parameters: &Element<'_>) -> Result<(Curve, ParameterForm), PublicKeyError> {
    if parameters.tag() == tag::OID {
        let oid = parameters.oid()?;
        let curve = Curve::from_oid(&oid).ok_or(PublicKeyError::Curve(oid))?;
        return Ok((curve, ParameterForm::Named));
    }
    let mut children = parameters.expect(tag::SEQUENCE)?.children();
    children.any()?.small_integer()?;
    let mut field = children.tagged(tag::SEQUENCE)?.children();
    if field.any()?.oid()? != PRIME_FIELD {
        return Err(PublicKeyError::ExplicitParameters);
    }
    let p = field.any()?.positive_integer()?;
    let mut curve = children.tagged(tag::SEQUENCE)?.children();
    let a = curve.any()?.octets()?;
    let b = curve.any()?.octets()?;
    let generator = children.any()?.octets()?;
    let n = children.any()?.positive_integer()?;
    let cofactor = children.next_element()?.map(|h| h.positive_integer()).transpose()?;
    let explicit = ExplicitParameters { p, a, b, generator, n, cofactor };
    let curve = Curve::from_explicit(&explicit).ok_or(PublicKeyError::ExplicitParameters)?;
    Ok((curve, ParameterForm::Explicit))
}

/// `ECParameters` of a curve (RFC 3279 §2.3.5).
fn write_curve(curve: Curve) -> Vec<u8> {
    let p = curve.parameters();
    let field = write::sequence(&[&write::oid(&PRIME_FIELD), &write::positive_integer(p.p)]);
    let equation = write::sequence(&[&write::octets(p.a), &write::octets(p.b)]);
    let generator = Point::generator(curve);
    write::sequence(&[
        &write::integer(1),
        &field,
        &equation,
        &write::octets(generator.as_bytes()),
        &write::positive_integer(p.n),
        &write::integer(1),
    ])
}

/// The AlgorithmIdentifier of a public key of a prime field, by PKCS #3: without the order (ICAO
/// 9303-11 §9.6 and §8.5, note 2).
pub(super) fn write_dh_key_agreement(group: &DhGroup) -> Vec<u8> {
    let (p, g) = (write::positive_integer(group.p()), write::positive_integer(group.g()));
    write::sequence(&[&write::oid(&DH_KEY_AGREEMENT), &write::sequence(&[&p, &g])])
}

/// `DomainParameters` of X9.42 (RFC 3279 §2.3.3); those of PKCS #3 where the order is not known.
fn write_prime_field(group: &DhGroup) -> Vec<u8> {
    let (p, g) = (write::positive_integer(group.p()), write::positive_integer(group.g()));
    let (oid, q) = match group.q() {
        Some(q) => (DH_PUBLIC_NUMBER, write::positive_integer(q)),
        None => (DH_KEY_AGREEMENT, Vec::new()),
    };
    write::sequence(&[&write::oid(&oid), &write::sequence(&[&p, &g, &q])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [u8; 14] = [0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

    #[test]
    fn reads_back_every_standardised_group_in_both_forms() {
        for id in ALL {
            let group = DomainParameters::standardised(id).unwrap();
            for form in [ParameterForm::Named, ParameterForm::Explicit] {
                let bytes = encode_domain_parameters(&group, form);
                assert_eq!(decode_domain_parameters(&bytes), Ok((group.clone(), form)), "{id}");
            }
        }
    }

    #[test]
    fn reads_a_prime_field_without_its_order() {
        let group = DhGroup::standardised(2).unwrap();
        let numbers = [group.p(), group.g()].map(write::positive_integer).concat();
        let bytes =
            write::sequence(&[&write::oid(&DH_KEY_AGREEMENT), &write::sequence(&[&numbers])]);
        let expected = (DomainParameters::Dh(group), ParameterForm::Explicit);
        assert_eq!(decode_domain_parameters(&bytes), Ok(expected));
    }

    #[test]
    fn takes_no_prime_field_of_the_cards_own_however_good_it_is() {
        let known = DhGroup::standardised(0).unwrap();
        let squared = known.generator().multiply(&known.generator()).unwrap().to_bytes();
        let own = DhGroup::explicit(known.p(), &squared, known.q()).unwrap();
        let own = DomainParameters::Dh(own);
        let bytes = encode_domain_parameters(&own, ParameterForm::Explicit);
        assert_eq!(decode_domain_parameters(&bytes), Err(PublicKeyError::ExplicitParameters));
    }

    #[test]
    fn refuses_numbers_of_a_prime_field_that_are_off() {
        let group = DhGroup::standardised(0).unwrap();
        for place in 0..3 {
            let mut numbers = [group.p(), group.g(), group.q().unwrap()].map(<[u8]>::to_vec);
            *numbers[place].last_mut().unwrap() ^= 2;
            let numbers = numbers.map(|n| write::positive_integer(&n)).concat();
            let bytes =
                write::sequence(&[&write::oid(&DH_PUBLIC_NUMBER), &write::sequence(&[&numbers])]);
            let read = decode_domain_parameters(&bytes);
            assert_eq!(read, Err(PublicKeyError::ExplicitParameters), "{place}");
        }
    }

    #[test]
    fn refuses_a_number_that_is_not_standardised() {
        let bytes = write::sequence(&[&write::oid(&STANDARDISED), &write::integer(7)]);
        assert_eq!(decode_domain_parameters(&bytes), Err(PublicKeyError::Standardised(7)));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_domain_parameters(&bytes);
        }

        #[test]
        fn never_panics_on_altered_parameters(
            id in proptest::sample::select(&ALL[..]),
            place in any::<proptest::sample::Index>(),
            bits in 1..=255u8,
        ) {
            let group = DomainParameters::standardised(id).unwrap();
            let mut bytes = encode_domain_parameters(&group, ParameterForm::Explicit);
            let place = place.index(bytes.len());
            bytes[place] ^= bits;
            if let Ok((read, _)) = decode_domain_parameters(&bytes) {
                // Only what is not part of the group's definition may differ: a version.
                prop_assert_eq!(read, group);
            }
        }
    }
}
