//! Where the fields of an MRZ stand: TD1 (ICAO 9303-5 §4.2), TD2 (9303-6 §4.2), TD3 (9303-4 §4.2).
//!
//! Positions count from 0 through all lines joined.

use core::ops::Range;

/// The size of a document, which fixes the shape of its MRZ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MrzFormat {
    /// Card: three lines of 30.
    Td1,
    /// Two lines of 36.
    Td2,
    /// Passport: two lines of 44.
    Td3,
}

impl MrzFormat {
    /// The formats.
    pub const ALL: [Self; 3] = [Self::Td1, Self::Td2, Self::Td3];

    /// Characters in a line.
    #[must_use]
    pub const fn line_length(self) -> usize {
        match self {
            Self::Td1 => 30,
            Self::Td2 => 36,
            Self::Td3 => 44,
        }
    }

    /// Characters in all lines together: 90, 72 or 88.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Td1 => 90,
            Self::Td2 => 72,
            Self::Td3 => 88,
        }
    }

    /// The name in ICAO 9303: `TD1`, `TD2`, `TD3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Td1 => "TD1",
            Self::Td2 => "TD2",
            Self::Td3 => "TD3",
        }
    }

    pub(super) const fn layout(self) -> &'static Layout {
        match self {
            Self::Td1 => &TD1,
            Self::Td2 => &TD2,
            Self::Td3 => &TD3,
        }
    }
}

pub(super) struct Layout {
    pub names: Range<usize>,
    pub number: Range<usize>,
    pub number_check: usize,
    pub birth: Range<usize>,
    pub birth_check: usize,
    pub sex: usize,
    pub expiry: Range<usize>,
    pub expiry_check: usize,
    pub nationality: Range<usize>,
    /// The optional data after the number; in TD1 the end of line 1.
    pub optional: Range<usize>,
    /// TD3 only.
    pub optional_check: Option<usize>,
    /// The second optional data element, TD1 only (elsewhere empty).
    pub optional_2: Range<usize>,
    /// What the composite check digit covers, in order.
    pub composite: &'static [Range<usize>],
    pub composite_check: usize,
}

static TD1: Layout = Layout {
    names: 60..90,
    number: 5..14,
    number_check: 14,
    birth: 30..36,
    birth_check: 36,
    sex: 37,
    expiry: 38..44,
    expiry_check: 44,
    nationality: 45..48,
    optional: 15..30,
    optional_check: None,
    optional_2: 48..59,
    composite: &[5..30, 30..37, 38..45, 48..59],
    composite_check: 59,
};

static TD2: Layout = Layout {
    names: 5..36,
    number: 36..45,
    number_check: 45,
    birth: 49..55,
    birth_check: 55,
    sex: 56,
    expiry: 57..63,
    expiry_check: 63,
    nationality: 46..49,
    optional: 64..71,
    optional_check: None,
    optional_2: 0..0,
    composite: &[36..46, 49..56, 57..71],
    composite_check: 71,
};

static TD3: Layout = Layout {
    names: 5..44,
    number: 44..53,
    number_check: 53,
    birth: 57..63,
    birth_check: 63,
    sex: 64,
    expiry: 65..71,
    expiry_check: 71,
    nationality: 54..57,
    optional: 72..86,
    optional_check: Some(86),
    optional_2: 0..0,
    composite: &[44..54, 57..64, 65..87],
    composite_check: 87,
};
