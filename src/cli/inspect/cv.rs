//! CV certificates, requests for them and EF.CVCA: what they say, and their signatures.

use cancuoc_primitives::curve::Curve;
use serde_json::{Value, json};

use super::certificate::hexadecimal;
use super::kind::Kind;
use super::verify::{Check, Status};
use super::{Failure, Subject, input};
use crate::apdu::tlv::{Reader, Tag, Tlv};
use crate::cli::ExitStatus;
use crate::cvc::{
    AuthenticatedRequest, CERTIFICATE, Chat, CvCertificate, CvKey, CvPublicKey, CvRequest,
    HolderReference, Rights, Role, TerminalType,
};
use crate::error::ErrorCode;
use crate::terminal::terminal_authentication::decode_ef_cvca;

/// Most certificates between a CVCA and a terminal that are followed.
const MAX_DEPTH: usize = 16;
/// Most certificates of one file.
const MAX_CERTIFICATES: usize = 1_000;

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

/// What stands in `7F21`: with an authorization it is a certificate, without one a request.
pub(super) fn kind_of(certificate: &Tlv<'_>) -> Kind {
    let body = certificate.children().read().ok();
    let mut fields = body.map(|body| body.children());
    let fields = std::iter::from_fn(|| fields.as_mut()?.read().ok()).take(8);
    let tags: Vec<Tag> = fields.map(|field| field.tag).collect();
    if tags.contains(&Tag(0x7F4C)) || !tags.contains(&Tag(0x7F49)) {
        Kind::CvCertificate
    } else {
        Kind::CvRequest
    }
}

/// A chain of certificates one after another as one input each.
pub(super) fn split(whole: input::Input) -> Vec<input::Input> {
    let mut reader = Reader::new(&whole.bytes);
    let objects = std::iter::from_fn(|| reader.read().ok()).take(MAX_CERTIFICATES);
    let parts: Vec<Vec<u8>> =
        objects.take_while(|tlv| tlv.tag == CERTIFICATE).map(|tlv| tlv.raw.to_vec()).collect();
    let length: usize = parts.iter().map(Vec::len).sum();
    if parts.len() < 2 || length != whole.bytes.len() {
        return vec![whole];
    }
    let name = |n: usize| format!("{}#{}", whole.name, n + 1);
    let numbered = parts.into_iter().enumerate();
    numbered.map(|(n, bytes)| input::Input { name: name(n), form: whole.form, bytes }).collect()
}

pub(super) fn certificate(bytes: &[u8]) -> Result<Value, Failure> {
    let certificate = CvCertificate::decode(bytes).map_err(|e| bad(&e))?;
    let body = certificate.body();
    Ok(json!({
        "holder": body.holder.as_str(),
        "authority": body.authority.as_str(),
        "self_signed": body.is_self_signed(),
        "role": role(body.authorization.role()),
        "authorization": authorization(&body.authorization),
        "effective": body.effective.to_string(),
        "expiration": body.expiration.to_string(),
        "public_key": public_key(&body.public_key),
        "extensions": body.extensions.as_deref().map(hexadecimal),
        "signature": hexadecimal(certificate.signature()),
    }))
}

/// Stable name of a role.
pub(in crate::cli) const fn role(role: Role) -> &'static str {
    match role {
        Role::Cvca => "cvca",
        Role::DomesticDv => "dv_domestic",
        Role::ForeignDv => "dv_foreign",
        Role::Terminal => "terminal",
    }
}

/// Data groups that the rights let a terminal read.
pub(in crate::cli) fn rights(rights: Rights) -> Vec<&'static str> {
    let groups = [rights.dg3.then_some("DG3"), rights.dg4.then_some("DG4")];
    groups.into_iter().flatten().collect()
}

fn authorization(chat: &Chat) -> Value {
    let terminal_type = match chat.terminal_type {
        TerminalType::InspectionSystem => "id-IS".to_owned(),
        TerminalType::Authentication => "id-AT".to_owned(),
        TerminalType::Signature => "id-ST".to_owned(),
        TerminalType::Other(oid) => oid.to_string(),
    };
    let is_is = chat.terminal_type == TerminalType::InspectionSystem;
    json!({
        "terminal_type": terminal_type,
        "rights": is_is.then(|| rights(chat.rights())),
        "bytes": hexadecimal(chat.bytes()),
    })
}

fn public_key(key: &CvPublicKey) -> Value {
    let algorithm = key.algorithm.name();
    match &key.key {
        CvKey::Rsa(key) => json!({
            "algorithm": algorithm,
            "size": key.bits(),
            "modulus": hexadecimal(&key.modulus()),
            "exponent": hexadecimal(&key.exponent()),
        }),
        CvKey::Ec { curve, point } => json!({
            "algorithm": algorithm,
            "curve": curve.map(Curve::name),
            "key": hexadecimal(point),
        }),
    }
}

fn request_content(request: &CvRequest) -> Value {
    let body = request.body();
    json!({
        "holder": body.holder.as_str(),
        "authority": body.authority.as_ref().map(HolderReference::as_str),
        "public_key": public_key(&body.public_key),
        "extensions": body.extensions.as_deref().map(hexadecimal),
        "signature": hexadecimal(request.signature()),
    })
}

pub(super) fn request(bytes: &[u8]) -> Result<Value, Failure> {
    CvRequest::decode(bytes).map(|request| request_content(&request)).map_err(|e| bad(&e))
}

pub(super) fn authenticated_request(bytes: &[u8]) -> Result<Value, Failure> {
    let authenticated = AuthenticatedRequest::decode(bytes).map_err(|e| bad(&e))?;
    let mut content = request_content(authenticated.request());
    content["authenticated_by"] = json!(authenticated.authority().as_str());
    Ok(content)
}

pub(super) fn ef_cvca(bytes: &[u8]) -> Result<Value, Failure> {
    let references = decode_ef_cvca(bytes).map_err(|e| bad(&e))?;
    let references: Vec<&str> = references.iter().map(HolderReference::as_str).collect();
    Ok(json!({ "authorities": references }))
}

/// The certificates among the files, by name of file.
struct Known<'a>(Vec<(&'a str, CvCertificate)>);

impl<'a> Known<'a> {
    fn new(all: &'a [Subject]) -> Self {
        let certificates = all.iter().filter(|subject| subject.kind == Kind::CvCertificate);
        let decoded = certificates.filter_map(|subject| {
            Some((subject.name.as_str(), CvCertificate::decode(&subject.bytes).ok()?))
        });
        Self(decoded.collect())
    }

    fn of<'b>(
        &'b self,
        holder: &'b HolderReference,
    ) -> impl Iterator<Item = &'b (&'a str, CvCertificate)> {
        self.0.iter().filter(move |(_, certificate)| certificate.holder() == holder)
    }

    /// The curve of the CVCA above: of the certificate itself, else of its issuer.
    fn curve(&self, certificate: &CvCertificate) -> Option<Curve> {
        let mut at = certificate;
        for _ in 0..MAX_DEPTH {
            if let Some(curve) = at.body().public_key.curve() {
                return Some(curve);
            }
            at = self.of(at.authority()).map(|(_, issuer)| issuer).next()?;
        }
        None
    }

    /// Tries every certificate with the reference; passed by the first that verifies.
    fn check<E: ErrorCode>(
        &self,
        id: &'static str,
        holder: &HolderReference,
        verify: impl Fn(&CvCertificate, Option<Curve>) -> Result<(), E>,
    ) -> Check {
        let mut failed = None;
        for (name, issuer) in self.of(holder) {
            match verify(issuer, self.curve(issuer)) {
                Ok(()) => return Check::passed(id, *name),
                Err(error) => failed = Some(Check::failed(id, &error)),
            }
        }
        let missing = || Check::coded(id, Status::Skipped, "inspect_no_issuer", holder.to_string());
        failed.unwrap_or_else(missing)
    }
}

/// The signatures of a certificate or request, with the certificates among the files.
pub(super) fn verify(subject: &Subject, all: &[Subject]) -> Vec<Check> {
    let known = Known::new(all);
    let checks = match subject.kind {
        Kind::CvCertificate => CvCertificate::decode(&subject.bytes).map(|certificate| {
            vec![known.check("cv.signature", certificate.authority(), |issuer, curve| {
                certificate.verify(issuer, curve)
            })]
        }),
        Kind::CvRequest => {
            CvRequest::decode(&subject.bytes).map(|request| vec![own_signature(&known, &request)])
        }
        _ => AuthenticatedRequest::decode(&subject.bytes).map(|request| {
            let outer = |key: &CvCertificate, curve| request.verify(key, curve);
            vec![
                own_signature(&known, request.request()),
                known.check("cv.outer_signature", request.authority(), outer),
            ]
        }),
    };
    checks.unwrap_or_else(|error| vec![Check::failed("cv.signature", &error)])
}

/// The signature by the key in the request; its curve may have to come from the authority.
fn own_signature(known: &Known<'_>, request: &CvRequest) -> Check {
    const ID: &str = "cv.request_signature";
    let authority = request.body().authority.as_ref();
    let authority = authority.and_then(|a| known.of(a).next());
    match request.verify(authority.and_then(|(_, a)| known.curve(a))) {
        Ok(()) => Check::passed(ID, request.body().holder.as_str()),
        Err(error) => Check::failed(ID, &error),
    }
}
