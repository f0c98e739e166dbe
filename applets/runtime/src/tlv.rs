//! BER-TLV data objects as the card reads and writes them (ISO/IEC 7816-4 §5.2.2).

use alloc::vec::Vec;

/// Takes data objects off the front of a field. The card reads none deeper than a caller asks.
#[derive(Debug, Clone)]
pub struct Objects<'a> {
    rest: &'a [u8],
}

/// A data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// Tag of one or two bytes.
    pub tag: u16,
    /// Value.
    pub value: &'a [u8],
    /// Tag, length and value.
    pub raw: &'a [u8],
}

/// The field is not made of whole data objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Objects<'a> {
    /// Reads from the start of a field.
    #[must_use]
    pub const fn new(field: &'a [u8]) -> Self {
        Self { rest: field }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next data object.
    ///
    /// # Errors
    /// [`Malformed`], at the end too.
    pub fn take(&mut self) -> Result<Object<'a>, Malformed> {
        let input = self.rest;
        let (first, mut rest) = input.split_first().ok_or(Malformed)?;
        let mut tag = u16::from(*first);
        if first & 0x1F == 0x1F {
            let (second, after) = rest.split_first().ok_or(Malformed)?;
            if second & 0x80 != 0 {
                return Err(Malformed);
            }
            tag = tag << 8 | u16::from(*second);
            rest = after;
        }
        let (length, rest) = take_length(rest)?;
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        let raw = input.get(..input.len() - rest.len()).ok_or(Malformed)?;
        self.rest = rest;
        Ok(Object { tag, value, raw })
    }

    /// The next data object if it has the tag.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn take_if(&mut self, tag: u16) -> Result<Option<Object<'a>>, Malformed> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut ahead = self.clone();
        let object = ahead.take()?;
        if object.tag != tag {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(object))
    }
}

/// Length field of up to two length bytes: no APDU needs more.
fn take_length(input: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    match input {
        [length @ 0..=0x7F, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x81, length, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => Err(Malformed),
    }
}

/// Value of the first data object with the tag.
#[must_use]
pub fn find(field: &[u8], tag: u16) -> Option<&[u8]> {
    let mut objects = Objects::new(field);
    while let Ok(object) = objects.take() {
        if object.tag == tag {
            return Some(object.value);
        }
    }
    None
}

/// Appends a data object.
pub fn put(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    let [high, low] = tag.to_be_bytes();
    if high != 0 {
        out.push(high);
    }
    out.push(low);
    match value.len() {
        length @ 0..=0x7F => out.push(length as u8),
        length @ 0x80..=0xFF => out.extend([0x81, length as u8]),
        // No value of the card is longer than an APDU.
        length => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(value);
}

/// A data object.
#[must_use]
pub fn object(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 5);
    put(&mut out, tag, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_values_past_the_end() {
        assert_eq!(Objects::new(&[0x80, 2, 1]).take(), Err(Malformed));
        assert_eq!(Objects::new(&[0x80, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]).take(), Err(Malformed));
        assert_eq!(Objects::new(&[0x80, 0x80]).take(), Err(Malformed));
        assert_eq!(Objects::new(&[]).take(), Err(Malformed));
    }

    #[test]
    fn finds_an_object_behind_another() {
        assert_eq!(find(&[0x80, 1, 7, 0x83, 1, 9], 0x83), Some(&[9][..]));
        assert_eq!(find(&[0x80, 1, 7], 0x83), None);
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(tag in prop::sample::select(alloc::vec![0x80u16, 0x7C, 0x7F49]),
                               value in prop::collection::vec(any::<u8>(), 0..600)) {
            let bytes = object(tag, &value);
            let read = Objects::new(&bytes).take().unwrap();
            prop_assert_eq!((read.tag, read.value, read.raw), (tag, &value[..], &bytes[..]));
        }
    }
}
