//! Which files of a folder a newer one takes the place of. A list is replaced by a newer one of the same
//! issuer, never by an older one: an old list brings back what was taken out since.

use jiff::Timestamp;

use super::{Content, Object};
use crate::lds::{comparable_name, name_text};

/// What is the same for an older and a newer list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Series {
    /// The master lists, deviation lists or defect lists of a State.
    List {
        /// Kind of list.
        kind: &'static str,
        /// Two letters.
        country: String,
    },
    /// The revocation lists of a CA: its name as it is compared.
    Crl(Vec<u8>),
}

/// A list with its date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// What it is one of.
    pub series: Series,
    /// When it was made.
    pub at: Timestamp,
    /// What it is, for people: the State or the CA.
    pub of: String,
}

impl Dated {
    /// The list in an object, unless it is a certificate or does not say when it was made.
    #[must_use]
    pub fn of(object: &Object) -> Option<Self> {
        match &object.content {
            Content::Certificate { .. } => None,
            Content::Crl(crl) => Some(Self {
                series: Series::Crl(comparable_name(&crl.issuer)),
                at: crl.this_update,
                of: name_text(&crl.issuer),
            }),
            Content::MasterList { list, .. } | Content::Defects { list, .. } => {
                let country = list.signer().ok()?.country()?;
                let kind = object.content.kind();
                let series = Series::List { kind, country: country.clone() };
                Some(Self { series, at: list.signing_time()?, of: country })
            }
        }
    }
}

/// A file of the folder by its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLists {
    /// Its name.
    pub name: String,
    /// Its lists.
    pub lists: Vec<Dated>,
    /// Whether it holds other things besides.
    pub holds_more: bool,
    /// Whether it is the export of a directory.
    pub is_directory: bool,
}

impl FileLists {
    /// The lists among the objects of a file.
    #[must_use]
    pub fn new(name: &str, objects: &[Object]) -> Self {
        let lists: Vec<Dated> = objects.iter().filter_map(Dated::of).collect();
        Self {
            name: name.to_owned(),
            holds_more: lists.len() < objects.len(),
            is_directory: objects.iter().any(|object| !object.alone),
            lists,
        }
    }
}

/// Why a file takes the place of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The folder has a newer list.
    Older {
        /// Of whom.
        of: String,
        /// Date of the list in the folder.
        have: Timestamp,
        /// Date of the list that was given.
        given: Timestamp,
    },
    /// The folder has these very lists.
    Same,
    /// The folder has no list of this issuer.
    Nothing,
}

/// The names of the files that a new one takes the place of.
///
/// # Errors
/// [`Refusal`].
pub fn replaced<'a>(new: &FileLists, folder: &'a [FileLists]) -> Result<Vec<&'a str>, Refusal> {
    // A directory is replaced by a directory: a list of its own may well be newer than both.
    let peers = folder.iter().filter(|file| file.is_directory == new.is_directory);
    let mut replaced = Vec::new();
    let mut is_newer = false;
    for file in peers {
        let mut covered = 0;
        for have in &file.lists {
            let Some(given) =
                new.lists.iter().filter(|l| l.series == have.series).max_by_key(|l| l.at)
            else {
                continue;
            };
            if given.at < have.at {
                let of = have.of.clone();
                return Err(Refusal::Older { of, have: have.at, given: given.at });
            }
            is_newer |= given.at > have.at;
            covered += 1;
        }
        let whole = covered == file.lists.len() && (!file.holds_more || file.is_directory);
        if covered > 0 && (whole || file.is_directory) {
            replaced.push(file.name.as_str());
        }
    }
    match (replaced.is_empty(), is_newer) {
        (true, _) => Err(Refusal::Nothing),
        (false, false) => Err(Refusal::Same),
        (false, true) => Ok(replaced),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(country: &str, at: &str) -> Dated {
        let series = Series::List { kind: "master_list", country: country.to_owned() };
        Dated { series, at: at.parse().unwrap(), of: country.to_owned() }
    }

    fn file(name: &str, lists: &[Dated], is_directory: bool) -> FileLists {
        let (name, lists) = (name.to_owned(), lists.to_vec());
        FileLists { name, lists, holds_more: is_directory, is_directory }
    }

    const OLD: &str = "2026-01-01T00:00:00Z";
    const NEW: &str = "2026-02-01T00:00:00Z";

    #[test]
    fn a_newer_list_takes_the_place_of_the_older_of_the_same_state() {
        let folder =
            [file("de.ml", &[list("DE", OLD)], false), file("nl.ml", &[list("NL", OLD)], false)];
        let new = file("new.ml", &[list("DE", NEW)], false);
        assert_eq!(replaced(&new, &folder), Ok(vec!["de.ml"]));
    }

    #[test]
    fn an_older_list_never_takes_the_place_of_a_newer() {
        let folder = [file("de.ml", &[list("DE", NEW)], false)];
        let refusal = replaced(&file("old.ml", &[list("DE", OLD)], false), &folder);
        assert!(matches!(refusal, Err(Refusal::Older { .. })), "{refusal:?}");
        let same = file("same.ml", &[list("DE", NEW)], false);
        assert_eq!(replaced(&same, &folder), Err(Refusal::Same));
        let other = file("fr.ml", &[list("FR", NEW)], false);
        assert_eq!(replaced(&other, &folder), Err(Refusal::Nothing));
    }

    #[test]
    fn a_directory_with_one_list_that_is_older_is_refused_whole() {
        let folder = [file("pkd.ldif", &[list("DE", NEW), list("FR", OLD)], true)];
        let new = file("new.ldif", &[list("DE", OLD), list("FR", NEW)], true);
        assert!(matches!(replaced(&new, &folder), Err(Refusal::Older { .. })));
        let new = file("new.ldif", &[list("DE", NEW), list("FR", NEW), list("IT", OLD)], true);
        assert_eq!(replaced(&new, &folder), Ok(vec!["pkd.ldif"]));
    }

    #[test]
    fn a_list_of_its_own_takes_the_place_of_no_directory() {
        let folder = [file("pkd.ldif", &[list("DE", OLD)], true)];
        let new = file("de.ml", &[list("DE", NEW)], false);
        assert_eq!(replaced(&new, &folder), Err(Refusal::Nothing));
    }
}
