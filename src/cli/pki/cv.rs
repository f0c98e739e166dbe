//! What the commands for CV certificates share.

use std::path::{Path, PathBuf};

use cancuoc_primitives::curve::Curve;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::options::{KeyOptions, Right, RightsOptions};
use super::{
    Context, ExitStatus, Failure, KeyKind, SoftwareKey, bad, generate, output, random, save_key,
    write_new,
};
use crate::cli::inspect;
use crate::cvc::{
    AuthenticatedRequest, CvCertificate, CvDate, CvKey, CvRequest, HolderReference, Rights,
    TaAlgorithm,
};
use crate::lds::SignatureAlgorithm;
use crate::pki::Signer;
use crate::pki::cv::{
    CvAuthority, CvFolder, Part, authenticate, is_same_holder, read_cv_file, request,
};

/// A holder's key and certificate out of its folder.
pub(super) struct Holder {
    pub folder: CvFolder,
    pub certificate: CvCertificate,
    pub curve: Option<Curve>,
    pub key: SoftwareKey,
}

impl Holder {
    /// The newest certificate of the part with its key, or the one with the reference.
    pub fn open(
        folder: &CvFolder,
        reference: Option<&str>,
        part: Part,
        password: &str,
    ) -> Result<Self, Failure> {
        let mut own = folder.own(part);
        if let Some(reference) = reference {
            own.retain(|c| c.holder().as_str() == reference);
        }
        let certificate = own.pop().ok_or_else(|| {
            Failure::new(ExitStatus::BadInput, "cv_issuer_missing", "no certificate with its key")
                .with("path", folder.path().display())
        })?;
        let key = folder.key(&certificate, password).map_err(|e| bad(&e))?;
        let curve = folder.curve_above(&certificate);
        Ok(Self { folder: folder.clone(), certificate, curve, key })
    }

    pub fn authority(&self) -> Result<CvAuthority<'_>, Failure> {
        CvAuthority::new(&self.certificate, self.curve, &self.key).map_err(|e| bad(&e))
    }
}

/// Today, by universal time.
pub(super) fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

pub(super) fn cv_date(date: Date) -> Result<CvDate, Failure> {
    CvDate::new(date).map_err(|e| bad(&e))
}

/// Country code and name of a holder: the characters that file names may have too.
pub(super) fn holder_name(name: &str) -> Result<(&str, &str), Failure> {
    let parts = name.split_at_checked(2).filter(|(country, mnemonic)| {
        country.bytes().all(|b| b.is_ascii_uppercase())
            && mnemonic.len() <= 9
            && mnemonic.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    parts.ok_or_else(|| Failure::usage("--holder: VNCVCA, VNDVHANOI, VNGATE1, …"))
}

/// The reference of a new key: the sequence number asked for, or one more than the last in the
/// folder.
pub(super) fn new_reference(
    folder: &CvFolder,
    name: &str,
    sequence: Option<&str>,
) -> Result<HolderReference, Failure> {
    let (country, mnemonic) = holder_name(name)?;
    let last = folder.last_reference(country, mnemonic);
    match (sequence, last) {
        (None, Some(last)) => following(&last),
        (sequence, _) => {
            HolderReference::from_parts(country, mnemonic, sequence.unwrap_or("00001"))
                .map_err(|e| bad(&e))
        }
    }
}

/// The reference after this one.
pub(super) fn following(last: &HolderReference) -> Result<HolderReference, Failure> {
    let exhausted =
        || Failure::new(ExitStatus::BadInput, "cv_sequence_exhausted", last.to_string());
    last.next().ok_or_else(exhausted)
}

/// Refuses when one of the files is there: nothing is written then.
pub(super) fn refuse_existing(paths: &[&Path]) -> Result<(), Failure> {
    match paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(path) => Err(Failure::new(ExitStatus::Protected, "pki_file_exists", "exists")
            .with("path", path.display())),
    }
}

/// A new key by the options; where they say nothing, like `like`, else on brainpoolP256r1.
pub(super) fn new_key(
    options: &KeyOptions,
    like: Option<&CvCertificate>,
) -> Result<SoftwareKey, Failure> {
    let nothing_said = options.key.is_none() && options.hash.is_none() && !options.pss;
    if let Some(certificate) = like.filter(|_| nothing_said) {
        return key_like(certificate, None);
    }
    let current = like.filter(|_| options.key.is_none());
    let kind = options.key.or_else(|| kind_of(current?, None));
    let algorithm = current.map(|c| c.body().public_key.algorithm);
    let pss = options.pss || matches!(algorithm, Some(TaAlgorithm::RsaPss(_)));
    let key = generate(kind.unwrap_or(KeyKind::Ec(Curve::BrainpoolP256r1)), pss)?;
    let Some(hash) = options.hash else { return Ok(key) };
    let algorithm = match key.algorithm() {
        SignatureAlgorithm::RsaPss { .. } => TaAlgorithm::RsaPss(hash),
        SignatureAlgorithm::RsaPkcs1(_) => TaAlgorithm::RsaPkcs1(hash),
        _ => TaAlgorithm::Ecdsa(hash),
    };
    key.with_algorithm(algorithm.signature_algorithm()).map_err(|e| bad(&e))
}

fn kind_of(certificate: &CvCertificate, inherited: Option<Curve>) -> Option<KeyKind> {
    match &certificate.body().public_key.key {
        CvKey::Rsa(key) => Some(KeyKind::Rsa(key.bits())),
        CvKey::Ec { curve, .. } => curve.or(inherited).map(KeyKind::Ec),
    }
}

/// A new key of the kind that a certificate's key is: what its chain wants.
pub(super) fn key_like(
    certificate: &CvCertificate,
    inherited: Option<Curve>,
) -> Result<SoftwareKey, Failure> {
    let kind = kind_of(certificate, inherited).ok_or_else(|| {
        let holder = certificate.holder().clone();
        bad(&crate::cvc::CvcError::NoDomainParameters { holder })
    })?;
    let algorithm = certificate.body().public_key.algorithm.signature_algorithm();
    generate(kind, false)?.with_algorithm(algorithm).map_err(|e| bad(&e))
}

/// The rights asked for, else all that the issuer has.
pub(super) fn rights(options: &RightsOptions, issuer: Rights) -> Result<Rights, Failure> {
    let has = |right| options.rights.contains(&right);
    match (options.rights.is_empty(), has(Right::None)) {
        (true, _) => Ok(issuer),
        (false, true) if options.rights.len() > 1 => Err(Failure::usage("--rights: none")),
        _ => Ok(Rights { dg3: has(Right::Dg3), dg4: has(Right::Dg4) }),
    }
}

/// Reads one certificate.
pub(super) fn certificate(path: &Path) -> Result<CvCertificate, Failure> {
    let bytes = read_cv_file(path).map_err(|e| bad(&e))?;
    CvCertificate::decode(&bytes).map_err(|e| bad(&e))
}

/// A request with or without a further signature.
pub(super) enum Request {
    Plain(CvRequest),
    Authenticated(Box<AuthenticatedRequest>),
}

impl Request {
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read_cv_file(path).map_err(|e| bad(&e))?;
        if bytes.first() == Some(&0x67) {
            let request = AuthenticatedRequest::decode(&bytes).map_err(|e| bad(&e))?;
            return Ok(Self::Authenticated(Box::new(request)));
        }
        CvRequest::decode(&bytes).map(Self::Plain).map_err(|e| bad(&e))
    }

    pub fn inner(&self) -> &CvRequest {
        match self {
            Self::Plain(request) => request,
            Self::Authenticated(request) => request.request(),
        }
    }
}

/// Keeps a certificate of another holder beside one's own; one that is there must be the same.
pub(super) fn keep(folder: &CvFolder, certificate: &CvCertificate) -> Result<(), Failure> {
    let path = folder.file(certificate.holder(), "cvcert");
    match read_cv_file(&path) {
        Ok(bytes) if bytes == certificate.raw() => Ok(()),
        _ => write_new(&path, certificate.raw()),
    }
}

/// Makes key and request in a folder; signed by the holder's current key too, where there is one
/// and it is wanted.
pub(super) struct NewRequest<'a> {
    pub command: &'a str,
    pub folder: CvFolder,
    pub holder: HolderReference,
    /// Who is asked.
    pub authority: &'a CvCertificate,
    pub key: SoftwareKey,
    /// The holder's current key.
    pub current: Option<Holder>,
    pub password: &'a str,
}

impl NewRequest<'_> {
    pub fn write(&self, context: &Context) -> Result<ExitStatus, Failure> {
        let files = ["key", "csr"].map(|extension| self.folder.file(&self.holder, extension));
        refuse_existing(&[&files[0], &files[1]])?;
        let request =
            request(&self.holder, Some(self.authority.holder()), &self.key, &mut random())
                .map_err(|e| bad(&e))?;
        let bytes = match &self.current {
            None => request.raw().to_vec(),
            Some(current) => {
                authenticate(&request, &current.certificate, &current.key, &mut random())
                    .map_err(|e| bad(&e))?
                    .raw()
                    .to_vec()
            }
        };
        save_key(&files[0], &self.key, self.password)?;
        write_new(&files[1], &bytes)?;
        let authenticated = self.current.as_ref().map(|c| c.certificate.holder().to_string());
        let described = json!({
            "holder": self.holder.as_str(),
            "authority": self.authority.holder().as_str(),
            "algorithm": request.body().public_key.algorithm.name(),
            "authenticated_by": authenticated,
        });
        report(context, self.command, &files, &json!({ "request": described }))
    }
}

/// The holder's newest certificate with its key in the folder, if there is one.
pub(super) fn current(
    folder: &CvFolder,
    holder: &HolderReference,
    part: Part,
    password: &str,
) -> Result<Option<Holder>, Failure> {
    let own = folder.own(part);
    match own.iter().rfind(|c| is_same_holder(c.holder(), holder)) {
        None => Ok(None),
        Some(last) => Holder::open(folder, Some(last.holder().as_str()), part, password).map(Some),
    }
}

/// What a certificate is, in JSON.
pub(super) fn describe(certificate: &CvCertificate) -> Value {
    let body = certificate.body();
    json!({
        "holder": body.holder.as_str(),
        "authority": body.authority.as_str(),
        "role": inspect::cv::role(body.authorization.role()),
        "rights": inspect::cv::rights(body.authorization.rights()),
        "effective": body.effective.to_string(),
        "expiration": body.expiration.to_string(),
        "algorithm": body.public_key.algorithm.name(),
    })
}

/// Says what was written; `more` is merged into the JSON.
pub(super) fn report(
    context: &Context,
    command: &str,
    files: &[PathBuf],
    more: &Value,
) -> Result<ExitStatus, Failure> {
    let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    if context.json {
        let mut document = json!({ "schema": format!("cancuoc.{command}/1"), "files": files });
        for (name, value) in more.as_object().into_iter().flatten() {
            document[name] = value.clone();
        }
        output::json(&document)?;
        return Ok(ExitStatus::Done);
    }
    for file in files {
        output::line(&context.text("pki.written", &[("file", &file)]))?;
    }
    if let Some(certificate) = more.get("certificate") {
        output::line(&certificate_line(context, certificate))?;
    }
    if let Some(request) = more.get("request") {
        output::line(&request_line(context, request))?;
    }
    Ok(ExitStatus::Done)
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn certificate_line(context: &Context, certificate: &Value) -> String {
    let rights = certificate.get("rights").and_then(Value::as_array);
    let rights: Vec<&str> = rights.into_iter().flatten().filter_map(Value::as_str).collect();
    let rights =
        if rights.is_empty() { context.text("pki.no_rights", &[]) } else { rights.join(", ") };
    let role = context.text(&format!("pki.role.{}", text_of(certificate, "role")), &[]);
    let values = [
        ("holder", text_of(certificate, "holder")),
        ("authority", text_of(certificate, "authority")),
        ("role", &role),
        ("rights", &rights),
        ("first", text_of(certificate, "effective")),
        ("last", text_of(certificate, "expiration")),
    ];
    context.text("pki.certificate", &values)
}

fn request_line(context: &Context, request: &Value) -> String {
    let by = text_of(request, "authenticated_by");
    let key = if by.is_empty() { "pki.request" } else { "pki.request_authenticated" };
    let values = [
        ("holder", text_of(request, "holder")),
        ("authority", text_of(request, "authority")),
        ("by", by),
    ];
    context.text(key, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_a_country_and_a_name_that_a_file_can_have() {
        assert_eq!(holder_name("VNCVCA").ok(), Some(("VN", "CVCA")));
        for wrong in ["V", "vnCVCA", "VN../../x", "VN0123456789", "Vŏ", "VN X"] {
            assert!(holder_name(wrong).is_err(), "{wrong}");
        }
    }
}
