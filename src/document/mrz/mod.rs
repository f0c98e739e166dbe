//! The machine readable zone: parsing with every fault named, check digits, building, access keys
//! (ICAO 9303-3 §4, 9303-4, -5, -6).
//!
//! A Vietnamese identity card carries its 12-digit number in the optional data of line 1 and, as
//! the last character of that line, the check digit over the twelve digits. That is not the ICAO
//! form of a long document number: the number field holds the last nine digits and its own check
//! digit.

mod build;
mod check_digit;
mod date;
mod key;
mod layout;

use core::fmt;
use core::ops::Range;

use thiserror::Error;
use zeroize::Zeroizing;

pub use build::{Td1Fields, vietnamese_optional_data};
pub use check_digit::check_digit;
pub use date::{MrzDate, MrzExpiry};
pub use layout::MrzFormat;

use super::access::{DocumentNumber, PersonalNumber};
use crate::error::ErrorCode;

/// Why text is no MRZ. The text itself is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MrzError {
    /// The number of characters is that of no format.
    #[error("{length} characters, which is no MRZ (TD1 has 90, TD2 has 72, TD3 has 88)")]
    Length {
        /// Characters found, white space not counted.
        length: usize,
    },
    /// A character other than `A` to `Z`, `0` to `9` and `<`.
    #[error("line {line}, position {position}: no MRZ character")]
    Character {
        /// Line, from 1.
        line: usize,
        /// Position in the line, from 1.
        position: usize,
    },
    /// A field does not hold what it must.
    #[error("the {field} field of the MRZ is malformed")]
    Field {
        /// Which field.
        field: MrzField,
    },
    /// A value given for building does not fit.
    #[error("the value for the {field} field of the MRZ does not fit")]
    DoesNotFit {
        /// Which field.
        field: MrzField,
    },
    /// A fault that parsing tolerates, where a faultless MRZ is required.
    #[error(transparent)]
    Fault(#[from] MrzFault),
}

impl ErrorCode for MrzError {
    fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "mrz_length",
            Self::Character { .. } => "mrz_character",
            Self::Field { .. } => "mrz_field",
            Self::DoesNotFit { .. } => "mrz_does_not_fit",
            Self::Fault(fault) => fault.code(),
        }
    }
}

/// A field of the MRZ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum MrzField {
    /// Document code, two characters.
    #[error("document code")]
    DocumentCode,
    /// Issuing State or organisation, three characters.
    #[error("issuing state")]
    IssuingState,
    /// Document number.
    #[error("document number")]
    DocumentNumber,
    /// Date of birth.
    #[error("date of birth")]
    Birth,
    /// Sex.
    #[error("sex")]
    Sex,
    /// Date of expiry.
    #[error("date of expiry")]
    Expiry,
    /// Nationality.
    #[error("nationality")]
    Nationality,
    /// Optional data.
    #[error("optional data")]
    Optional,
    /// Names.
    #[error("name")]
    Names,
    /// The 12-digit personal number in the optional data of a Vietnamese card.
    #[error("personal number")]
    PersonalNumber,
    /// The composite check digit over several fields.
    #[error("composite")]
    Composite,
}

/// Something wrong in an MRZ that can still be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum MrzFault {
    /// A check digit is not the one of its field.
    #[error("the check digit of the MRZ field {field} is wrong")]
    CheckDigit {
        /// Which check digit.
        field: MrzField,
    },
    /// Birth or expiry is no day of the calendar.
    #[error("the {field} in the MRZ is no day of the calendar")]
    ImpossibleDate {
        /// Which date.
        field: MrzField,
    },
    /// The sex is not `M`, `F` or `<`.
    #[error("the sex in the MRZ is neither M, F nor <")]
    Sex,
    /// The name field is empty or holds digits.
    #[error("the name field of the MRZ is empty or holds digits")]
    Names,
    /// The document number of a Vietnamese card is not the end of its personal number.
    #[error("the document number of the MRZ is not the end of its personal number")]
    NumbersDiffer,
}

impl ErrorCode for MrzFault {
    fn code(&self) -> &'static str {
        match self {
            Self::CheckDigit { .. } => "mrz_check_digit",
            Self::ImpossibleDate { .. } => "mrz_impossible_date",
            Self::Sex => "mrz_sex",
            Self::Names => "mrz_names",
            Self::NumbersDiffer => "mrz_numbers_differ",
        }
    }
}

/// Sex as an MRZ writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// `M`.
    Male,
    /// `F`.
    Female,
    /// `<`.
    Unspecified,
}

impl Sex {
    /// The character of the MRZ.
    #[must_use]
    pub const fn character(self) -> char {
        match self {
            Self::Male => 'M',
            Self::Female => 'F',
            Self::Unspecified => '<',
        }
    }
}

/// The name field: components without fillers, still transliterated.
#[derive(Clone, PartialEq, Eq)]
pub struct MrzNames {
    /// Primary identifier, usually the surname; components separated by a space.
    pub primary: String,
    /// Secondary identifier, usually middle and given names; empty if there is none.
    pub secondary: String,
    /// The field is full to its last position, so that the name may have been truncated.
    pub possibly_truncated: bool,
}

impl fmt::Debug for MrzNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzNames(***)")
    }
}

/// A machine readable zone of the right length, with MRZ characters only.
///
/// Faults in its content, wrong check digits among them, are told by [`Mrz::faults`].
#[derive(Clone, PartialEq, Eq)]
pub struct Mrz {
    format: MrzFormat,
    text: Zeroizing<String>,
    birth: MrzDate,
    expiry: MrzDate,
    number: DocumentNumber,
}

impl Mrz {
    /// Reads an MRZ as DG1 holds it (ICAO 9303-10 §4.7.1): the lines joined, nothing else.
    ///
    /// # Errors
    /// [`MrzError`]; wrong check digits are no error here.
    pub fn parse(bytes: &[u8]) -> Result<Self, MrzError> {
        let format = MrzFormat::ALL.into_iter().find(|f| f.length() == bytes.len());
        let format = format.ok_or(MrzError::Length { length: bytes.len() })?;
        let fits = |b: &u8| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'<');
        if let Some(index) = bytes.iter().position(|b| !fits(b)) {
            let line_length = format.line_length();
            let (line, position) = (index / line_length + 1, index % line_length + 1);
            return Err(MrzError::Character { line, position });
        }
        // Only ASCII is left.
        let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
        let layout = format.layout();
        let date = |range: &Range<usize>, field| {
            let characters = bytes.get(range.clone()).and_then(MrzDate::new);
            characters.ok_or(MrzError::Field { field })
        };
        let birth = date(&layout.birth, MrzField::Birth)?;
        let expiry = date(&layout.expiry, MrzField::Expiry)?;
        let number = document_number(&text, format)
            .ok_or(MrzError::Field { field: MrzField::DocumentNumber })?;
        Ok(Self { format, text, birth, expiry, number })
    }

    /// Reads an MRZ that a person or an optical reader gave: white space anywhere is ignored, small
    /// letters count as capitals.
    ///
    /// # Errors
    /// [`MrzError`], as [`Mrz::parse`].
    pub fn parse_text(text: &str) -> Result<Self, MrzError> {
        // No format has more characters: what follows only counts.
        let kept = text.chars().filter(|c| !c.is_whitespace());
        let length = kept.clone().count();
        if !MrzFormat::ALL.iter().any(|f| f.length() == length) {
            return Err(MrzError::Length { length });
        }
        // A character beyond ASCII becomes one byte that parsing then points at.
        let byte = |c: char| u8::try_from(c).map_or(0, |b| b.to_ascii_uppercase());
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(kept.map(byte).collect());
        Self::parse(&bytes)
    }

    /// Everything that is wrong in the content, each fault named.
    #[must_use]
    pub fn faults(&self) -> Vec<MrzFault> {
        let mut faults = Vec::new();
        self.check_digit_faults(&mut faults);
        let birth = self.birth.as_bytes();
        // Any century will do: 2000 and 1900 are tried for a 29 February.
        let far = jiff::civil::date(2099, 12, 31);
        if birth != b"<<<<<<" && birth.starts_with(b"<<")
            || !birth.starts_with(b"<<") && self.birth.birth(far).is_none()
        {
            faults.push(MrzFault::ImpossibleDate { field: MrzField::Birth });
        }
        if self.expiry.expiry() == MrzExpiry::Unknown && self.expiry.as_bytes() != b"<<<<<<" {
            faults.push(MrzFault::ImpossibleDate { field: MrzField::Expiry });
        }
        if !matches!(self.byte(self.format.layout().sex), b'M' | b'F' | b'<') {
            faults.push(MrzFault::Sex);
        }
        let names = self.field(&self.format.layout().names);
        if names.starts_with('<') || names.contains(|c: char| c.is_ascii_digit()) {
            faults.push(MrzFault::Names);
        }
        if let Some(number) = self.personal_number()
            && !number.as_str().ends_with(self.number.as_str())
        {
            faults.push(MrzFault::NumbersDiffer);
        }
        faults
    }

    fn check_digit_faults(&self, faults: &mut Vec<MrzFault>) {
        let layout = self.format.layout();
        let mut check = |field, characters: &str, found: u8, may_be_filler: bool| {
            let right = check_digit(characters.as_bytes()) == Some(found);
            let absent = may_be_filler && found == b'<' && characters.bytes().all(|b| b == b'<');
            if !right && !absent {
                faults.push(MrzFault::CheckDigit { field });
            }
        };
        match self.long_number() {
            Some((number, digit)) => check(MrzField::DocumentNumber, &number, digit, false),
            None => {
                let number = self.field(&layout.number);
                check(MrzField::DocumentNumber, number, self.byte(layout.number_check), false);
            }
        }
        let unknown_birth = self.birth.as_bytes() == b"<<<<<<";
        check(MrzField::Birth, self.birth.as_str(), self.byte(layout.birth_check), unknown_birth);
        check(MrzField::Expiry, self.expiry.as_str(), self.byte(layout.expiry_check), false);
        if let Some(position) = layout.optional_check {
            check(MrzField::Optional, self.field(&layout.optional), self.byte(position), true);
        }
        if let (Some(number), Some(digit)) = (self.personal_number(), self.text.as_bytes().get(29))
        {
            check(MrzField::PersonalNumber, number.as_str(), *digit, false);
        }
        let covered: Zeroizing<String> =
            Zeroizing::new(layout.composite.iter().map(|range| self.field(range)).collect());
        check(MrzField::Composite, &covered, self.byte(layout.composite_check), false);
    }

    /// This MRZ if nothing is wrong in it: for what a person typed, before a card is asked.
    ///
    /// # Errors
    /// [`MrzError::Fault`] with the first fault.
    pub fn require_faultless(self) -> Result<Self, MrzError> {
        match self.faults().first() {
            Some(fault) => Err(MrzError::Fault(*fault)),
            None => Ok(self),
        }
    }

    fn field(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    fn byte(&self, position: usize) -> u8 {
        self.text.as_bytes().get(position).copied().unwrap_or(b'<')
    }

    fn long_number(&self) -> Option<(Zeroizing<String>, u8)> {
        long_number(&self.text, self.format)
    }

    /// The format.
    #[must_use]
    pub const fn format(&self) -> MrzFormat {
        self.format
    }

    /// All characters, the lines joined, as DG1 holds them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let length = self.format.line_length();
        (0..self.text.len() / length).map(move |n| self.field(&(n * length..(n + 1) * length)))
    }

    /// Document code: `I`, `ID`, `P` …, without fillers.
    #[must_use]
    pub fn document_code(&self) -> &str {
        self.field(&(0..2)).trim_end_matches('<')
    }

    /// Issuing State or organisation, without fillers: `VNM`, `D`.
    #[must_use]
    pub fn issuing_state(&self) -> &str {
        self.field(&(2..5)).trim_end_matches('<')
    }

    /// Document number, also where it is longer than nine characters.
    #[must_use]
    pub const fn document_number(&self) -> &DocumentNumber {
        &self.number
    }

    /// Nationality, without fillers.
    #[must_use]
    pub fn nationality(&self) -> &str {
        self.field(&self.format.layout().nationality).trim_end_matches('<')
    }

    /// Date of birth.
    #[must_use]
    pub const fn birth(&self) -> &MrzDate {
        &self.birth
    }

    /// Date of expiry.
    #[must_use]
    pub const fn expiry(&self) -> &MrzDate {
        &self.expiry
    }

    /// Sex; anything but `M` and `F` counts as unspecified (see [`MrzFault::Sex`]).
    #[must_use]
    pub fn sex(&self) -> Sex {
        match self.byte(self.format.layout().sex) {
            b'M' => Sex::Male,
            b'F' => Sex::Female,
            _ => Sex::Unspecified,
        }
    }

    /// Optional data as it stands: TD1 the end of line 1 and that of line 2, else one field and
    /// an empty text.
    #[must_use]
    pub fn optional_data(&self) -> (&str, &str) {
        let layout = self.format.layout();
        (self.field(&layout.optional), self.field(&layout.optional_2))
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> MrzNames {
        let field = self.field(&self.format.layout().names);
        let trimmed = field.trim_end_matches('<');
        let (primary, secondary) = trimmed.split_once("<<").unwrap_or((trimmed, ""));
        let spaced = |text: &str| {
            let components: Vec<&str> = text.split('<').filter(|c| !c.is_empty()).collect();
            components.join(" ")
        };
        MrzNames {
            primary: spaced(primary),
            secondary: spaced(secondary),
            possibly_truncated: trimmed.len() == field.len(),
        }
    }

    /// The 12-digit number of a Vietnamese TD1 document: twelve digits, two fillers and the check
    /// digit in the optional data of line 1.
    #[must_use]
    pub fn personal_number(&self) -> Option<PersonalNumber> {
        if self.format != MrzFormat::Td1 || self.issuing_state() != "VNM" {
            return None;
        }
        let (digits, rest) = self.optional_data().0.split_at_checked(PersonalNumber::LENGTH)?;
        if !rest.starts_with("<<") {
            return None;
        }
        PersonalNumber::new(digits).ok()
    }
}

/// The MRZ opens the card and names its holder: not shown.
impl fmt::Debug for Mrz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mrz({}, ***)", self.format.name())
    }
}

/// The document number of TD1 and TD2 that is longer than its field, and its check digit: the check
/// digit's place holds `<`, the rest of the number and the check digit open the optional data.
fn long_number(text: &str, format: MrzFormat) -> Option<(Zeroizing<String>, u8)> {
    let layout = format.layout();
    if format == MrzFormat::Td3 || text.as_bytes().get(layout.number_check) != Some(&b'<') {
        return None;
    }
    let rest = text.get(layout.optional.clone())?.split('<').next()?;
    let (rest, digit) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
    let digit = digit.bytes().next().filter(|_| !rest.is_empty())?;
    let number = format!("{}{rest}", text.get(layout.number.clone())?);
    Some((Zeroizing::new(number), digit))
}

fn document_number(text: &str, format: MrzFormat) -> Option<DocumentNumber> {
    if let Some((number, _)) = long_number(text, format) {
        return DocumentNumber::new(&number).ok();
    }
    DocumentNumber::new(text.get(format.layout().number.clone())?).ok()
}

#[cfg(test)]
mod tests;
