//! Everything that a store holds, each part verified: for people who look after it.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::cache::SignatureCache;
use super::decide::{Acceptance, Basis};
use super::{
    Crl, Distrust, KnownDefect, ListFault, SignedList, TrustError, TrustStore, X509, X509Error,
};

/// Most threads that verify.
const MAX_THREADS: usize = 8;

/// A certificate of a CSCA.
#[derive(Debug, Clone)]
pub struct SurveyedCertificate<'a> {
    /// The certificate, or why it cannot be used.
    pub certificate: Result<&'a X509, &'a X509Error>,
    /// Two letters, or nothing.
    pub country: &'a str,
    /// Numbers of the files that hold it as a certificate of its own.
    pub pinned: &'a [usize],
    /// Numbers of the files that hold it.
    pub files: &'a [usize],
    /// Why it is trusted, or why not.
    pub trust: Result<Basis, Distrust>,
}

impl SurveyedCertificate<'_> {
    /// Whether it stands in the folder as a certificate of its own.
    #[must_use]
    pub const fn is_pinned(&self) -> bool {
        !self.pinned.is_empty()
    }
}

/// A master list.
#[derive(Debug, Clone)]
pub struct SurveyedList<'a> {
    /// The list.
    pub list: &'a SignedList,
    /// Number of its file.
    pub file: usize,
    /// When it was signed, as it says.
    pub signing_time: Option<Timestamp>,
    /// Country of its signer, as it says.
    pub country: &'a str,
    /// How many certificates it holds.
    pub certificates: usize,
    /// Parts that are no certificates: place in the list, and what is wrong.
    pub malformed: &'a [(usize, TrustError)],
    /// Why it counts, or why not.
    pub state: Result<&'a Acceptance, ListFault>,
}

/// A revocation list.
#[derive(Debug, Clone, Copy)]
pub struct SurveyedCrl<'a> {
    /// The list.
    pub crl: &'a Crl,
    /// Number of its file.
    pub file: usize,
    /// The CSCA, trusted, whose key signed it.
    pub signer: Option<&'a X509>,
}

/// A list of known defects.
#[derive(Debug, Clone)]
pub struct SurveyedDefects<'a> {
    /// The list.
    pub list: &'a SignedList,
    /// Number of its file.
    pub file: usize,
    /// What it says.
    pub defects: &'a [KnownDefect],
    /// Why it counts, or why not.
    pub state: Result<&'a Acceptance, ListFault>,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Survey<'a> {
    /// Certificates of CSCAs, in the order in which they came.
    pub certificates: Vec<SurveyedCertificate<'a>>,
    /// Master lists.
    pub lists: Vec<SurveyedList<'a>>,
    /// Revocation lists.
    pub crls: Vec<SurveyedCrl<'a>>,
    /// Lists of defects.
    pub defects: Vec<SurveyedDefects<'a>>,
}

impl TrustStore {
    /// Verifies everything, on all processors. With a cache, the signatures of certificates that an
    /// accepted master list vouches for are verified only where it does not know them.
    #[must_use]
    pub fn survey(&self, cache: Option<&SignatureCache>) -> Survey<'_> {
        let decided = self.decide_all(cache);
        let certificates = self.authorities.iter().zip(decided).map(|((_, authority), trust)| {
            SurveyedCertificate {
                certificate: authority.x509(),
                country: &authority.country,
                pinned: &authority.pinned,
                files: &authority.files,
                trust,
            }
        });
        let lists = self.lists.iter().enumerate().map(|(number, entry)| SurveyedList {
            list: &entry.list,
            file: entry.file,
            signing_time: entry.signing_time,
            country: &entry.country,
            certificates: entry.members.len() + entry.malformed.len(),
            malformed: &entry.malformed,
            state: self.accepted(number),
        });
        let crls = self.crls.iter().map(|entry| SurveyedCrl {
            crl: &entry.crl,
            file: entry.file,
            signer: self
                .signer_of(entry)
                .and_then(|number| self.authorities.get(number)?.x509().ok()),
        });
        let defects = self.defects.iter().map(|entry| SurveyedDefects {
            list: &entry.list,
            file: entry.file,
            defects: &entry.defects,
            state: self.accepted_defects(entry).as_ref().map_err(Clone::clone),
        });
        Survey {
            certificates: certificates.collect(),
            lists: lists.collect(),
            crls: crls.collect(),
            defects: defects.collect(),
        }
    }

    fn decide_all(&self, cache: Option<&SignatureCache>) -> Vec<Result<Basis, Distrust>> {
        let count = self.authorities.len();
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return done;
                }
                done.push((number, self.decide(number, cache)));
            }
        };
        let done: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            done.extend(threads.into_iter().flat_map(|t| t.join().unwrap_or_default()));
            done
        });
        let mut decided = vec![None; count];
        for (number, basis) in done {
            if let Some(place) = decided.get_mut(number) {
                *place = Some(basis);
            }
        }
        // What a thread had done that did not come back is made up for here.
        let decide = |(number, basis): (usize, Option<_>)| {
            basis.unwrap_or_else(|| self.decide(number, cache))
        };
        decided.into_iter().enumerate().map(decide).collect()
    }
}
