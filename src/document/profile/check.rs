//! What a profile must agree with itself about.

mod protocols;

use super::{CardProfile, FileProfile, ProfileError, SCHEMA, SecretProfile};
use crate::document::access::Can;

impl CardProfile {
    pub(super) fn check(&self) -> Result<(), ProfileError> {
        let require = |holds: bool, field, reason: &str| {
            let invalid = || ProfileError::Invalid { field, reason: reason.to_owned() };
            if holds { Ok(()) } else { Err(invalid()) }
        };
        require(self.schema == SCHEMA, "schema", "must be cancuoc.profile/1")?;
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        require(
            !self.name.is_empty() && self.name.chars().all(name),
            "name",
            "letters, digits, -",
        )?;
        let letters = |text: &str, lengths: core::ops::RangeInclusive<usize>| {
            lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase())
        };
        require(
            letters(&self.mrz.document_code, 1..=2),
            "mrz.document_code",
            "one or two letters",
        )?;
        require(
            letters(&self.mrz.issuing_state, 1..=3),
            "mrz.issuing_state",
            "up to three letters",
        )?;
        require(letters(&self.mrz.nationality, 1..=3), "mrz.nationality", "up to three letters")?;
        let digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
        require(self.passwords.can_digits == Can::LENGTH, "passwords.can_digits", "a CAN has six")?;
        let number = self.passwords.document_number_digits;
        require((1..=9).contains(&number), "passwords.document_number_digits", "one to nine")?;
        let secret = |secret: Option<SecretProfile>, most, tries: core::ops::RangeInclusive<u8>| {
            secret.is_none_or(|s| (4..=most).contains(&s.digits) && tries.contains(&s.tries))
        };
        let (pin, puk) = (self.passwords.pin, self.passwords.puk);
        // A PIN with one try left is suspended, so one try would be none.
        require(secret(pin, 12, 2..=15), "passwords.pin", "4 to 12 digits, 2 to 15 tries")?;
        require(secret(puk, 16, 1..=15), "passwords.puk", "4 to 16 digits, 1 to 15 tries")?;
        let pace = !self.access.pace.is_empty();
        require(pin.is_none() || pace, "passwords.pin", "a PIN needs PACE")?;
        require(puk.is_none() || pin.is_some(), "passwords.puk", "a PUK needs a PIN")?;
        require(digits(&self.lds.version, 4), "lds.version", "four digits")?;
        require(digits(&self.lds.unicode_version, 6), "lds.unicode_version", "six digits")?;
        require(self.sod.version <= 1, "sod.version", "0 or 1")?;
        let lengths = [self.atr_info.max_command_length, self.atr_info.max_response_length];
        let fits = lengths.iter().all(|length| (256..=65_544).contains(length));
        require(fits, "atr_info", "lengths of APDUs are 256 to 65544 bytes")?;
        require(self.atr_info.card_capabilities.len() == 3, "atr_info", "three bytes")?;
        self.check_protocols()?;
        self.check_data_groups()?;
        self.check_files()?;
        self.check_dg13()?;
        self.check_integrated_documents()?;
        require(self.qr.fields.len() <= 64, "qr.fields", "at most 64")?;
        require(
            self.access.bac || !self.access.pace.is_empty(),
            "access",
            "neither BAC nor PACE opens this card",
        )
    }

    fn check_data_groups(&self) -> Result<(), ProfileError> {
        let field = "lds.data_groups";
        let invalid = |reason: String| Err(ProfileError::Invalid { field, reason });
        for (index, number) in self.lds.data_groups.iter().enumerate() {
            if !(1..=16).contains(number) {
                return invalid(format!("there is no DG{number}"));
            }
            if self.lds.data_groups.iter().take(index).any(|n| n == number) {
                return invalid(format!("DG{number} stands twice"));
            }
            if self.data_group_file(*number).is_none() {
                return invalid(format!("DG{number} has no entry in files"));
            }
        }
        for required in [1, 2] {
            if !self.lds.data_groups.contains(&required) {
                return invalid(format!("DG{required} is mandatory"));
            }
        }
        Ok(())
    }

    fn check_files(&self) -> Result<(), ProfileError> {
        let invalid = |reason: String| Err(ProfileError::Invalid { field: "files", reason });
        for (index, file) in self.files.iter().enumerate() {
            let same = |other: &&FileProfile| {
                other.location == file.location
                    && (other.fid == file.fid || other.sfi.is_some() && other.sfi == file.sfi)
                    || other.name == file.name
            };
            if let Some(other) = self.files.iter().take(index).find(same) {
                return invalid(format!("{} and {} collide", other.name, file.name));
            }
            if file.sfi.is_some_and(|sfi| !(1..=30).contains(&sfi)) {
                return invalid(format!("the SFI of {} is not 01 to 1E", file.name));
            }
        }
        for required in ["EF.COM", "EF.SOD"] {
            if self.file(required).is_none() {
                return invalid(format!("{required} is mandatory"));
            }
        }
        if !self.access.pace.is_empty() && self.file("EF.CardAccess").is_none() {
            return invalid("PACE needs EF.CardAccess".to_owned());
        }
        Ok(())
    }

    fn check_dg13(&self) -> Result<(), ProfileError> {
        let invalid = |reason: String| Err(ProfileError::Invalid { field: "dg13.fields", reason });
        let fields = &self.dg13.fields;
        for pair in fields.windows(2) {
            if let [first, second] = pair
                && first.number >= second.number
            {
                return invalid(format!("{} is not in number order", second.name));
            }
        }
        // The MRZ is made of these.
        let needed = ["personal_number", "full_name", "birth_date", "sex", "nationality"];
        for name in needed.into_iter().chain(["issue_date", "expiry_date"]) {
            if !fields.iter().any(|field| field.name == name && field.required) {
                return invalid(format!("{name} must be there and required"));
            }
        }
        for (index, field) in fields.iter().enumerate() {
            if fields.iter().take(index).any(|other| other.name == field.name) {
                return invalid(format!("{} stands twice", field.name));
            }
        }
        Ok(())
    }
}
