//! What every error of this crate can say besides its text.

/// An error with a stable code.
///
/// The code is part of the command-line contract (`error.code` in JSON) and the key under which
/// the sentences in Vietnamese and English are found; it never changes once released.
pub trait ErrorCode: std::error::Error {
    /// The stable code, in `snake_case`, for example `sod_signature_invalid`.
    fn code(&self) -> &'static str;

    /// What the sentence of this error is filled with besides the error's own text, so that it is
    /// whole in either language: placeholder and value. A fact `reason` is the code of another
    /// sentence, which the facts after it are for.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
