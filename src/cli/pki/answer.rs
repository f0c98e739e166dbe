//! Answering a request with a certificate: `pki cvca sign`, `pki dv sign`, `pki is new`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::cv::{self, Holder, Request};
use super::options::{RightsOptions, ValidityOptions};
use super::{Context, ExitStatus, Failure, bad, output, random, write_new};
use crate::cvc::{AuthenticatedRequest, CvCertificate, CvRequest, Role};
use crate::pki::cv::{Part, Terms, file_stem, is_same_holder};

/// What an issuer grants.
pub(super) struct Grant<'a> {
    pub role: Role,
    pub rights: &'a RightsOptions,
    pub validity: &'a ValidityOptions,
    /// Days of validity where the options say nothing.
    pub days: u32,
}

/// Issues the certificate; one of that reference must not have been issued before.
pub(super) fn issue(
    issuer: &Holder,
    request: &CvRequest,
    grant: &Grant<'_>,
) -> Result<CvCertificate, Failure> {
    let holder = &request.body().holder;
    if issuer.folder.issued().file(holder, "cvcert").symlink_metadata().is_ok() {
        return Err(Failure::new(ExitStatus::Protected, "cv_reference_issued", "issued before")
            .with("holder", holder));
    }
    let own = issuer.certificate.body();
    let until = Some(own.expiration.date());
    let (first, last) = grant.validity.dates(cv::today(), grant.days, until)?;
    let terms = Terms {
        role: grant.role,
        rights: cv::rights(grant.rights, own.authorization.rights())?,
        effective: cv::cv_date(first)?,
        expiration: cv::cv_date(last)?,
    };
    issuer.authority()?.issue(request, &terms, &mut random()).map_err(|e| bad(&e))
}

/// Keeps a copy of what was issued: its reference is not given out again.
pub(super) fn record(issuer: &Holder, certificate: &CvCertificate) -> Result<(), Failure> {
    let issued = issuer.folder.issued();
    output::create_private_folder(issued.path()).map_err(|e| Failure::file(issued.path(), &e))?;
    write_new(&issued.file(certificate.holder(), "cvcert"), certificate.raw())
}

/// The certificates that a terminal shows a card, one after another: links of the CVCA in the
/// verifier's folder, verifier, terminal.
pub(super) fn chain(issuer: &Holder, terminal: &CvCertificate) -> Vec<u8> {
    let links = issuer
        .folder
        .certificates()
        .into_iter()
        .filter(|c| c.body().authorization.role() == Role::Cvca && !c.body().is_self_signed());
    let parts: Vec<CvCertificate> =
        links.chain([issuer.certificate.clone(), terminal.clone()]).collect();
    parts.iter().flat_map(|c| c.raw().to_vec()).collect()
}

/// Who may have signed around a request, and whether someone must have.
pub(super) struct Authentication<'a> {
    pub certificates: &'a [PathBuf],
    pub required: bool,
}

/// Checks the outer signature of a request, if it has one; gives whose it is.
pub(super) fn authenticated_by(
    issuer: &Holder,
    request: &Request,
    authentication: &Authentication<'_>,
) -> Result<Option<String>, Failure> {
    let authenticated = match request {
        Request::Authenticated(request) => request,
        Request::Plain(_) if authentication.required => {
            let what = "the request has one signature only";
            return Err(Failure::new(ExitStatus::BadInput, "cv_request_not_authenticated", what));
        }
        Request::Plain(_) => return Ok(None),
    };
    let certificate = authenticator(issuer, authenticated, authentication)?;
    certificate.check_validity(cv::cv_date(cv::today())?).map_err(|e| bad(&e))?;
    authenticated
        .verify(&certificate, issuer.folder.curve_above(&certificate))
        .map_err(|e| bad(&e))?;
    Ok(Some(certificate.holder().to_string()))
}

/// The certificate of the outer key: one that this issuer gave the same holder, one of its own, or
/// one that the operator names.
fn authenticator(
    issuer: &Holder,
    request: &AuthenticatedRequest,
    authentication: &Authentication<'_>,
) -> Result<CvCertificate, Failure> {
    let wanted = request.authority();
    let mut candidates = Vec::new();
    for path in authentication.certificates {
        candidates.push(cv::certificate(path)?);
    }
    if is_same_holder(wanted, &request.request().body().holder) {
        candidates.extend(issuer.folder.issued().certificates());
    }
    candidates.extend(issuer.folder.own(Part::of(issuer.certificate.body().authorization.role())));
    let found = candidates.into_iter().find(|c| c.holder() == wanted);
    found.ok_or_else(|| {
        Failure::new(ExitStatus::BadInput, "cv_authenticator_unknown", wanted.to_string())
            .with("by", wanted)
    })
}

/// Where the answer goes: the file asked for, or beside the request.
pub(super) fn beside(request: &Path, asked: Option<&PathBuf>, name: &str) -> PathBuf {
    asked.cloned().unwrap_or_else(|| request.with_file_name(name))
}

/// Answers a request in a file.
pub(super) struct Answer<'a> {
    pub command: &'a str,
    pub request: &'a Path,
    pub out: Option<&'a PathBuf>,
    pub issuer: &'a Holder,
    pub authentication: Authentication<'a>,
}

impl Answer<'_> {
    /// Verifies the request, issues, writes certificate and record; for a terminal the chain too.
    pub fn write(
        &self,
        context: &Context,
        request: &Request,
        grant: &Grant<'_>,
    ) -> Result<ExitStatus, Failure> {
        let by = authenticated_by(self.issuer, request, &self.authentication)?;
        let certificate = issue(self.issuer, request.inner(), grant)?;
        let stem = file_stem(certificate.holder());
        let path = beside(self.request, self.out, &format!("{stem}.cvcert"));
        let mut files = vec![path.clone()];
        if grant.role == Role::Terminal {
            files.push(path.with_extension("chain"));
        }
        let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        cv::refuse_existing(&paths)?;
        record(self.issuer, &certificate)?;
        write_new(&path, certificate.raw())?;
        if let Some(path) = files.get(1) {
            write_new(path, &chain(self.issuer, &certificate))?;
        }
        let mut described = cv::describe(&certificate);
        described["request_authenticated_by"] = json!(by);
        cv::report(context, self.command, &files, &json!({ "certificate": described }))
    }
}
