#![allow(clippy::unwrap_used)]

use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::sign_prehashed;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::apdu::tlv::{Tlv, encode};
use crate::lds::PublicKey;

const DV: &[u8] = include_bytes!("../../testvectors/cvc/dv_cert_19.cvcert");
const TERMINAL: &[u8] = include_bytes!("../../testvectors/cvc/at_cert_19a.cvcert");

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn reference(text: &str) -> HolderReference {
    HolderReference::new(text.as_bytes()).unwrap()
}

fn day(year: i16, month: i8, day: i8) -> CvDate {
    CvDate::new(date(year, month, day)).unwrap()
}

/// A holder with its key.
struct Holder {
    name: HolderReference,
    key: SecretScalar,
    algorithm: TaAlgorithm,
}

impl Holder {
    fn new(name: &str, curve: Curve) -> Self {
        let algorithm = TaAlgorithm::Ecdsa(HashAlgorithm::Sha256);
        Self { name: reference(name), key: SecretScalar::random(curve, &mut random()), algorithm }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = self.algorithm.signature_algorithm().hash().digest(message);
        let signature = sign_prehashed(&self.key, &digest, &mut random()).unwrap();
        signature.to_plain(self.key.curve()).unwrap()
    }

    fn public_key(&self, with_parameters: bool) -> CvPublicKey {
        let key = PublicKey::Ec(self.key.public_point());
        CvPublicKey::new(self.algorithm, &key, with_parameters).unwrap()
    }

    fn body(&self, holder: &Self, role: Role, rights: Rights) -> CertificateBody {
        CertificateBody {
            authority: self.name.clone(),
            public_key: holder.public_key(role == Role::Cvca),
            holder: holder.name.clone(),
            authorization: Chat::inspection_system(role, rights),
            effective: day(2026, 1, 1),
            expiration: day(2026, 12, 31),
            extensions: None,
        }
    }

    fn certify(&self, holder: &Self, role: Role, rights: Rights) -> CvCertificate {
        let body = self.body(holder, role, rights);
        CvCertificate::assemble(&body, &self.sign(&body.encode())).unwrap()
    }
}

struct Chain {
    cvca: Holder,
    root: CvCertificate,
    dv: CvCertificate,
    terminal: CvCertificate,
}

fn chain(dv_rights: Rights, terminal_rights: Rights) -> Chain {
    let curve = Curve::BrainpoolP256r1;
    let cvca = Holder::new("VNCVCA00001", curve);
    let dv = Holder::new("VNDV00001", curve);
    let terminal = Holder::new("VNIS00001", curve);
    Chain {
        root: cvca.certify(&cvca, Role::Cvca, Rights::ALL),
        dv: cvca.certify(&dv, Role::DomesticDv, dv_rights),
        terminal: dv.certify(&terminal, Role::Terminal, terminal_rights),
        cvca,
    }
}

#[test]
fn reads_foreign_certificates_and_verifies_one_with_the_other() {
    let dv = CvCertificate::decode(DV).unwrap();
    let terminal = CvCertificate::decode(TERMINAL).unwrap();
    assert_eq!(dv.raw(), DV);
    assert_eq!(dv.authority().as_str(), "DETESTCVCA00003");
    assert_eq!(terminal.authority(), dv.holder());
    assert_eq!(terminal.body().authorization.terminal_type, TerminalType::Authentication);
    let body = terminal.body();
    assert_eq!((body.effective, body.expiration), (day(2010, 3, 24), day(2010, 4, 24)));
    terminal.verify(&dv, None).unwrap();
}

#[test]
fn a_certificate_is_written_as_it_was_read() {
    for bytes in [DV, TERMINAL] {
        let certificate = CvCertificate::decode(bytes).unwrap();
        assert_eq!(certificate.body().encode(), certificate.body_bytes());
        let again = CvCertificate::assemble(certificate.body(), certificate.signature()).unwrap();
        assert_eq!(again.raw(), bytes);
    }
}

#[test]
fn each_bit_of_body_and_signature_counts() {
    let dv = CvCertificate::decode(DV).unwrap();
    let body_start = TERMINAL.len() - CvCertificate::decode(TERMINAL).unwrap().value().len();
    for index in body_start..TERMINAL.len() {
        let mut bytes = TERMINAL.to_vec();
        bytes[index] ^= 1;
        let verified = CvCertificate::decode(&bytes).and_then(|c| c.verify(&dv, None));
        assert!(verified.is_err(), "byte {index}");
    }
}

#[test]
fn finds_and_verifies_a_chain_whatever_the_order() {
    let Chain { root, dv, terminal, cvca } = chain(Rights::ALL, Rights { dg3: true, dg4: false });
    let given = [terminal.clone(), root.clone(), dv.clone()];
    let found = CvChain::find(&given, &[cvca.name]).unwrap();
    assert_eq!(found.certificates(), [dv, terminal]);
    let effective = found.verify(Some(&root), day(2026, 6, 1)).unwrap();
    assert_eq!(effective.rights, Rights { dg3: true, dg4: false });
    assert!(effective.domestic);
}

#[test]
fn rights_are_those_that_all_have() {
    let dg3 = Rights { dg3: true, dg4: false };
    let Chain { root, dv, terminal, cvca } = chain(dg3, Rights::ALL);
    let found = CvChain::find(&[dv, terminal], &[cvca.name]).unwrap();
    assert_eq!(found.verify(Some(&root), day(2026, 6, 1)).unwrap().rights, dg3);
}

#[test]
fn goes_by_a_link_certificate_where_the_card_knows_the_older_key() {
    let old = Holder::new("VNCVCA00001", Curve::BrainpoolP256r1);
    let new = Holder::new("VNCVCA00002", Curve::P384);
    let dv = Holder::new("VNDV00001", Curve::P384);
    let terminal = Holder::new("VNIS00001", Curve::P384);
    let root = old.certify(&old, Role::Cvca, Rights::ALL);
    let given = [
        new.certify(&new, Role::Cvca, Rights::ALL),
        old.certify(&new, Role::Cvca, Rights::ALL),
        new.certify(&dv, Role::ForeignDv, Rights::ALL),
        dv.certify(&terminal, Role::Terminal, Rights::ALL),
    ];
    let long = CvChain::find(&given, std::slice::from_ref(&old.name)).unwrap();
    let names: Vec<_> = long.certificates().iter().map(|c| c.holder().as_str()).collect();
    assert_eq!(names, ["VNCVCA00002", "VNDV00001", "VNIS00001"]);
    assert!(!long.verify(Some(&root), day(2026, 6, 1)).unwrap().domestic);
    let short = CvChain::find(&given, &[old.name, new.name]).unwrap();
    assert_eq!(short.certificates().len(), 2);
}

#[test]
fn says_what_the_card_trusts_and_which_issuer_is_missing() {
    let Chain { dv, terminal, .. } = chain(Rights::ALL, Rights::ALL);
    let trusted = [reference("VNCVCA00009")];
    let error = CvChain::find(&[dv, terminal], &trusted).unwrap_err();
    let wanted = reference("VNCVCA00001");
    assert_eq!(error, CvcError::NoPath { wanted, trusted: "VNCVCA00009".into() });
}

#[test]
fn says_when_no_certificate_is_a_terminals() {
    let Chain { root, dv, cvca, .. } = chain(Rights::ALL, Rights::ALL);
    assert_eq!(CvChain::find(&[root, dv], &[cvca.name]), Err(CvcError::NoTerminal));
}

#[test]
fn a_circle_of_certificates_ends() {
    let a = Holder::new("VNA00001", Curve::P256);
    let b = Holder::new("VNB00001", Curve::P256);
    let terminal = Holder::new("VNIS00001", Curve::P256);
    let given = [
        a.certify(&b, Role::Cvca, Rights::ALL),
        b.certify(&a, Role::Cvca, Rights::ALL),
        a.certify(&terminal, Role::Terminal, Rights::ALL),
    ];
    assert!(CvChain::find(&given, &[reference("VNCVCA00001")]).is_err());
}

#[test]
fn finds_the_way_of_a_key_that_two_authorities_certified() {
    let Chain { dv, terminal, cvca, .. } = chain(Rights::ALL, Rights::ALL);
    let elsewhere = Holder::new("VNCVCA00009", Curve::BrainpoolP256r1);
    let mut body = dv.body().clone();
    body.authority = elsewhere.name.clone();
    let other = CvCertificate::assemble(&body, &elsewhere.sign(&body.encode())).unwrap();
    let found = CvChain::find(&[other, dv.clone(), terminal.clone()], &[cvca.name]).unwrap();
    assert_eq!(found.certificates(), [dv, terminal]);
}

/// A certificate that nobody signed, for what is found by names alone.
fn unsigned(authority: u8, holder: u8, role: Role) -> CvCertificate {
    static KEY: std::sync::LazyLock<CvPublicKey> =
        std::sync::LazyLock::new(|| Holder::new("VNDV00001", Curve::P192).public_key(false));
    let body = CertificateBody {
        authority: reference(&format!("VN0000{authority}")),
        public_key: KEY.clone(),
        holder: reference(&format!("VN0000{holder}")),
        authorization: Chat::inspection_system(role, Rights::ALL),
        effective: day(2026, 1, 1),
        expiration: day(2026, 12, 31),
        extensions: None,
    };
    CvCertificate::assemble(&body, &[1; 48]).unwrap()
}

/// Certificates of the shortest way from the trusted name to a terminal: how far each name is.
fn shortest(certificates: &[(u8, u8, Role)], trusted: u8) -> Option<usize> {
    let leads = || certificates.iter().filter(|(authority, holder, _)| authority != holder);
    let mut far = [usize::MAX; 8];
    far[usize::from(trusted)] = 0;
    for _ in 0..far.len() {
        for (authority, holder, _) in leads() {
            let by_this = far[usize::from(*authority)].saturating_add(1);
            far[usize::from(*holder)] = far[usize::from(*holder)].min(by_this);
        }
    }
    let terminals = leads().filter(|(.., role)| *role == Role::Terminal);
    let lengths = terminals.map(|(authority, ..)| far[usize::from(*authority)]);
    lengths.filter(|length| *length != usize::MAX).min().map(|length| length + 1)
}

#[test]
fn refuses_a_certificate_before_and_after_its_time() {
    let Chain { root, dv, terminal, cvca } = chain(Rights::ALL, Rights::ALL);
    let found = CvChain::find(&[dv, terminal], &[cvca.name]).unwrap();
    let on = |day| found.verify(Some(&root), day).map(drop);
    on(day(2026, 1, 1)).unwrap();
    on(day(2026, 12, 31)).unwrap();
    assert!(matches!(on(day(2025, 12, 31)), Err(CvcError::NotYetValid { .. })));
    assert!(matches!(on(day(2027, 1, 1)), Err(CvcError::Expired { .. })));
}

#[test]
fn refuses_the_signature_of_another_key_with_the_same_name() {
    let Chain { dv, terminal, cvca, .. } = chain(Rights::ALL, Rights::ALL);
    let other = chain(Rights::ALL, Rights::ALL);
    let found = CvChain::find(&[dv, terminal], &[cvca.name]).unwrap();
    let error = found.verify(Some(&other.root), day(2026, 6, 1)).unwrap_err();
    assert!(matches!(error, CvcError::Signature { .. }), "{error}");
}

#[test]
fn refuses_an_issuer_without_the_role() {
    let Chain { cvca, .. } = chain(Rights::ALL, Rights::ALL);
    let curve = Curve::BrainpoolP256r1;
    let (dv, sub) = (Holder::new("VNDV00001", curve), Holder::new("VNDV00002", curve));
    let issuer = cvca.certify(&dv, Role::DomesticDv, Rights::ALL);
    let issued = dv.certify(&sub, Role::DomesticDv, Rights::ALL);
    let error = issued.verify(&issuer, Some(curve)).unwrap_err();
    assert!(matches!(error, CvcError::IssuerRole { .. }), "{error}");
}

#[test]
fn names_the_issuer_that_was_expected() {
    let Chain { root, terminal, .. } = chain(Rights::ALL, Rights::ALL);
    let error = terminal.verify(&root, None).unwrap_err();
    assert!(matches!(error, CvcError::Issuer { .. }), "{error}");
}

#[test]
fn a_key_without_domain_parameters_needs_those_of_its_issuer() {
    let Chain { dv, terminal, .. } = chain(Rights::ALL, Rights::ALL);
    let error = terminal.verify(&dv, None).unwrap_err();
    assert!(matches!(error, CvcError::NoDomainParameters { .. }), "{error}");
    terminal.verify(&dv, Some(Curve::BrainpoolP256r1)).unwrap();
}

#[test]
fn takes_domain_parameters_without_a_cofactor_and_with_the_right_one_only() {
    let holder = Holder::new("VNCVCA00001", Curve::P256);
    let whole = holder.public_key(true);
    let bytes = whole.encode();
    let read = |bytes: &[u8]| CvPublicKey::decode(&Tlv::parse_exact(bytes).unwrap());
    assert_eq!(read(&bytes), Ok(whole.clone()));
    let (value, cofactor) = bytes.split_last_chunk::<3>().unwrap();
    assert_eq!(*cofactor, [0x87, 1, 1]);
    let with = |cofactor: &[u8]| encode(PUBLIC_KEY, &[&value[5..], cofactor].concat());
    assert_eq!(bytes[..5], [0x7F, 0x49, 0x82, bytes[3], bytes[4]]);
    assert_eq!(read(&with(&[])), Ok(whole));
    assert_eq!(read(&with(&[0x87, 1, 2])), Err(CvcError::DomainParameters));
    assert_eq!(read(&with(&[0x87, 0])), Err(CvcError::DomainParameters));
}

#[test]
fn refuses_domain_parameters_of_no_standardised_curve() {
    let bytes = chain(Rights::ALL, Rights::ALL).root.raw().to_vec();
    let p = Curve::BrainpoolP256r1.parameters();
    let at = |part: &[u8]| bytes.windows(part.len()).position(|w| w == part).unwrap();
    for place in [at(p.p), at(p.a), at(p.b), at(p.gx), at(p.gy), at(p.n)] {
        let mut changed = bytes.clone();
        changed[place + 20] ^= 1;
        assert_eq!(CvCertificate::decode(&changed), Err(CvcError::DomainParameters));
    }
}

#[test]
fn a_request_proves_the_key() {
    let holder = Holder::new("VNDV00001", Curve::P256);
    let body = RequestBody {
        authority: Some(reference("VNCVCA00001")),
        public_key: holder.public_key(true),
        holder: holder.name.clone(),
        extensions: None,
    };
    let request = CvRequest::assemble(&body, &holder.sign(&body.encode())).unwrap();
    request.verify(None).unwrap();
    let other = Holder::new("VNDV00001", Curve::P256);
    let forged = CvRequest::assemble(&body, &other.sign(&body.encode())).unwrap();
    assert!(matches!(forged.verify(None), Err(CvcError::Signature { .. })));
    assert!(CvCertificate::decode(request.raw()).is_err());
}

#[test]
fn an_authenticated_request_is_signed_by_the_former_key() {
    let cvca = Holder::new("VNCVCA00001", Curve::P256);
    let (former, holder) =
        (Holder::new("VNDV00001", Curve::P256), Holder::new("VNDV00002", Curve::P256));
    let body = RequestBody {
        authority: None,
        public_key: holder.public_key(true),
        holder: holder.name.clone(),
        extensions: None,
    };
    let request = CvRequest::assemble(&body, &holder.sign(&body.encode())).unwrap();
    let signed = AuthenticatedRequest::to_be_signed(&request, &former.name);
    let framed =
        AuthenticatedRequest::assemble(&request, &former.name, &former.sign(&signed)).unwrap();
    assert_eq!(framed.request(), &request);
    let certificate = cvca.certify(&former, Role::DomesticDv, Rights::ALL);
    framed.verify(&certificate, Some(Curve::P256)).unwrap();
    let forged =
        AuthenticatedRequest::assemble(&request, &former.name, &holder.sign(&signed)).unwrap();
    let error = forged.verify(&certificate, Some(Curve::P256)).unwrap_err();
    assert!(matches!(error, CvcError::Signature { .. }), "{error}");
}

#[test]
fn reads_references_by_their_rules() {
    let name = reference("VNCVCAabc00012");
    assert_eq!(
        (name.country(), name.mnemonic(), name.sequence_number()),
        ("VN", "CVCAabc", "00012")
    );
    for wrong in ["", "VN0001", "VNABCDEFGHIJ00001", "vnCVCA00001", "VNCVCA 00001", "VNCVCA0000-"] {
        assert!(HolderReference::new(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn counts_sequence_numbers_up() {
    let next = |text: &str| reference(text).next().map(|r| r.to_string());
    assert_eq!(next("VNCVCA00009").as_deref(), Some("VNCVCA00010"));
    assert_eq!(next("VNCVCAAB099").as_deref(), Some("VNCVCAAB100"));
    assert_eq!(next("VNCVCA99999"), None);
    assert_eq!(next("VNCVCAABCDE"), None);
}

#[test]
fn refuses_dates_that_are_none() {
    assert_eq!(CvDate::decode(&[2, 6, 1, 1, 2, 4]).unwrap(), day(2026, 11, 24));
    for wrong in [&[2, 6, 1, 3, 0, 1][..], &[2, 6, 0, 2, 3, 0], b"261124", &[2, 6, 1, 1, 2]] {
        assert!(CvDate::decode(wrong).is_err());
    }
    assert!(CvDate::new(date(1999, 12, 31)).is_err());
}

#[test]
fn every_algorithm_has_its_own_identifier() {
    for algorithm in TaAlgorithm::all() {
        assert_eq!(TaAlgorithm::from_oid(&algorithm.oid().unwrap()), Some(algorithm));
        let made = TaAlgorithm::from_signature_algorithm(algorithm.signature_algorithm());
        assert_eq!(made, Some(algorithm));
    }
    assert!(TaAlgorithm::RsaPss(HashAlgorithm::Sha384).oid().is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = CvCertificate::decode(&bytes);
        let _ = CvCertificate::decode_all(&bytes);
        let _ = CvRequest::decode(&bytes);
        let _ = AuthenticatedRequest::decode(&bytes);
    }

    #[test]
    fn a_damaged_certificate_is_read_or_refused(
        place in 0..DV.len(), value in any::<u8>(), cut in 0..DV.len()
    ) {
        let mut bytes = DV.to_vec();
        bytes[place] = value;
        let _ = CvCertificate::decode(&bytes);
        let _ = CvCertificate::decode(&bytes[..cut]);
    }

    #[test]
    fn a_chain_is_the_shortest_way_whatever_the_certificates(
        edges in prop::collection::vec(
            (0u8..8, 0u8..8, prop::sample::select(vec![Role::Cvca, Role::DomesticDv, Role::Terminal])),
            0..14,
        ),
        trusted in 0u8..8,
    ) {
        let certificates: Vec<_> = edges.iter().map(|(a, h, role)| unsigned(*a, *h, *role)).collect();
        let trusted_name = reference(&format!("VN0000{trusted}"));
        match CvChain::find(&certificates, std::slice::from_ref(&trusted_name)) {
            Ok(chain) => {
                let path = chain.certificates();
                prop_assert_eq!(Some(path.len()), shortest(&edges, trusted));
                prop_assert_eq!(path[0].authority(), &trusted_name);
                prop_assert!(path.windows(2).all(|pair| pair[1].authority() == pair[0].holder()));
                let terminal = chain.terminal().unwrap();
                prop_assert_eq!(terminal.body().authorization.role(), Role::Terminal);
            }
            Err(_) => prop_assert_eq!(shortest(&edges, trusted), None),
        }
    }

    #[test]
    fn a_damaged_request_is_read_or_refused(
        place in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        static FRAMED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let holder = Holder::new("VNDV00002", Curve::P256);
            let body = RequestBody {
                authority: Some(reference("VNCVCA00001")),
                public_key: holder.public_key(true),
                holder: holder.name.clone(),
                extensions: None,
            };
            let request = CvRequest::assemble(&body, &[1; 64]).unwrap();
            let framed = AuthenticatedRequest::assemble(&request, &holder.name, &[2; 64]);
            framed.unwrap().raw().to_vec()
        });
        let mut bytes = FRAMED.clone();
        let place = place.index(bytes.len());
        bytes[place] = value;
        if let Ok(framed) = AuthenticatedRequest::decode(&bytes) {
            let request = framed.request();
            let again = CvRequest::assemble(request.body(), request.signature()).unwrap();
            prop_assert_eq!(again.body(), request.body());
        }
        let _ = AuthenticatedRequest::decode(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn dates_are_written_as_they_are_read(digits in prop::array::uniform6(0u8..10)) {
        if let Ok(date) = CvDate::decode(&digits) {
            prop_assert_eq!(date.encode(), digits);
        }
    }
}
