//! Fields of a length byte and a value, as INSTALL has them.

use cancuoc_card_runtime::StatusWord;

/// Takes the next field off the front of the data.
///
/// # Errors
/// 6A80 when it does not reach.
pub fn take<'a>(data: &mut &'a [u8]) -> Result<&'a [u8], StatusWord> {
    let (length, rest) = data.split_first().ok_or(StatusWord::WRONG_DATA)?;
    let (field, rest) =
        rest.split_at_checked(usize::from(*length)).ok_or(StatusWord::WRONG_DATA)?;
    *data = rest;
    Ok(field)
}

/// As many fields as the array has, and nothing after them.
///
/// # Errors
/// 6A80.
pub fn all<const N: usize>(mut data: &[u8]) -> Result<[&[u8]; N], StatusWord> {
    let mut fields = [&[][..]; N];
    for field in &mut fields {
        *field = take(&mut data)?;
    }
    if data.is_empty() { Ok(fields) } else { Err(StatusWord::WRONG_DATA) }
}
