//! Building a TD1 MRZ with its check digits (ICAO 9303-5 §4.2).

use zeroize::Zeroizing;

use super::{Mrz, MrzDate, MrzError, MrzField, Sex, check_digit};
use crate::document::access::{DocumentNumber, PersonalNumber};

/// What goes into a TD1 MRZ.
#[derive(Debug, Clone)]
pub struct Td1Fields<'a> {
    /// One or two characters; the first is `A`, `C` or `I`.
    pub document_code: &'a str,
    /// One to three letters.
    pub issuing_state: &'a str,
    /// The document number; more than nine characters go into the optional data, ICAO fashion.
    pub document_number: &'a DocumentNumber,
    /// Up to 15 characters, less what a long number takes.
    pub optional_1: &'a str,
    /// Date of birth.
    pub birth: &'a MrzDate,
    /// Sex.
    pub sex: Sex,
    /// Date of expiry.
    pub expiry: &'a MrzDate,
    /// One to three letters.
    pub nationality: &'a str,
    /// Up to 11 characters.
    pub optional_2: &'a str,
    /// The name field, at most 30 characters (see [`crate::document::name`]).
    pub names: &'a str,
}

/// The optional data of a Vietnamese card: the twelve digits, two fillers, the check digit over the
/// twelve digits.
#[must_use]
pub fn vietnamese_optional_data(number: &PersonalNumber) -> Zeroizing<String> {
    let digit = check_digit(number.as_str().as_bytes()).unwrap_or(b'<');
    Zeroizing::new(format!("{}<<{}", number.as_str(), char::from(digit)))
}

impl Td1Fields<'_> {
    /// Builds the three lines.
    ///
    /// # Errors
    /// [`MrzError::DoesNotFit`] names the field that is too long or has a character that cannot
    /// stand in an MRZ.
    pub fn build(&self) -> Result<Mrz, MrzError> {
        let number = self.document_number.as_str();
        let (short, rest) = number.split_at_checked(9).unwrap_or((number, ""));
        let digit = digit_over(&format!("{number:<<9}"), MrzField::DocumentNumber)?;
        let (number_digit, optional_1) = if rest.is_empty() {
            (digit, self.optional_1.to_owned())
        } else {
            ('<', format!("{rest}{digit}<{}", self.optional_1).trim_end_matches('<').to_owned())
        };
        let birth_digit = char::from(self.birth.check_digit());
        let expiry_digit = char::from(self.expiry.check_digit());

        let mut text = Zeroizing::new(String::with_capacity(90));
        *text += &filled(self.document_code, 1, 2, MrzField::DocumentCode)?;
        *text += &filled(self.issuing_state, 1, 3, MrzField::IssuingState)?;
        *text += &filled(short, 1, 9, MrzField::DocumentNumber)?;
        text.push(number_digit);
        *text += &filled(&optional_1, 0, 15, MrzField::Optional)?;
        *text += self.birth.as_str();
        text.push(birth_digit);
        text.push(self.sex.character());
        *text += self.expiry.as_str();
        text.push(expiry_digit);
        *text += &filled(self.nationality, 1, 3, MrzField::Nationality)?;
        *text += &filled(self.optional_2, 0, 11, MrzField::Optional)?;
        let covered = super::MrzFormat::Td1.layout().composite.iter();
        let covered: Zeroizing<String> =
            Zeroizing::new(covered.filter_map(|range| text.get(range.clone())).collect());
        text.push(digit_over(&covered, MrzField::Composite)?);
        *text += &filled(self.names, 1, 30, MrzField::Names)?;
        Mrz::parse(text.as_bytes())
    }
}

fn digit_over(text: &str, field: MrzField) -> Result<char, MrzError> {
    check_digit(text.as_bytes()).map(char::from).ok_or(MrzError::DoesNotFit { field })
}

/// The value with fillers up to `length` characters.
fn filled(value: &str, least: usize, length: usize, field: MrzField) -> Result<String, MrzError> {
    let mrz_characters = check_digit(value.as_bytes()).is_some();
    if !mrz_characters || value.len() < least || value.len() > length || value.starts_with('<') {
        return Err(MrzError::DoesNotFit { field });
    }
    Ok(format!("{value:<<length$}"))
}
