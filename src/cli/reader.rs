//! Opens the reader that `--reader` names: PC/SC, or a software card in a file.

use std::path::Path;
use std::time::Duration;

use super::{Context, ExitStatus, Failure, output};
use crate::cvc::CvcError;
use crate::pki::SignerError;
use crate::softcard::air::{AirLink, BitRate};
use crate::softcard::{Pacing, SoftCard};
use crate::terminal::TerminalError;
use crate::transport::pcsc::PcscCard;
use crate::transport::time_limit::{TimeLimited, TimeLimits};
use crate::transport::trace::TracingTransport;
use crate::transport::{CardTransport, TransportError};

/// Prefix of a software card's path.
pub(super) const CARD_PREFIX: &str = "card:";

/// How much longer than for one answer a card is waited for in all.
const TOTAL: u32 = 20;

/// The powered card on the reader of this call, with the trace that was asked for. It is waited for
/// only so long.
pub(super) fn open(context: &Context) -> Result<Box<dyn CardTransport>, Failure> {
    let card: Box<dyn CardTransport + Send> = match context.reader.as_deref() {
        Some(selector) if selector.starts_with(CARD_PREFIX) => {
            let path = selector.trim_start_matches(CARD_PREFIX);
            Box::new(soft_card(context, Path::new(path))?)
        }
        // A real link is as fast as it is.
        _ if context.link.is_some() => return Err(Failure::usage("--link: --reader card:PATH")),
        selector => Box::new(PcscCard::connect(selector).map_err(|e| transport(&e))?),
    };
    trace(context, Box::new(TimeLimited::new(card, limits(context))))
}

/// How long a card is waited for.
pub(super) fn limits(context: &Context) -> TimeLimits {
    let answer = Duration::from_secs(context.card_timeout.into());
    TimeLimits { answer, total: answer * TOTAL }
}

/// A software card in a file, behind the link that was asked for.
pub(super) fn soft_card(context: &Context, path: &Path) -> Result<SoftCard, Failure> {
    let card = SoftCard::open(path).map_err(|e| Failure::from_error(ExitStatus::Card, &e))?;
    Ok(match context.link {
        Some(rate) => card.with_air_link(AirLink::new(rate), Pacing::Slept),
        None => card,
    })
}

/// A bit rate as it is written on the command line.
pub(super) fn bit_rate(kbit: &str) -> Result<BitRate, String> {
    let rate = kbit.parse().ok().and_then(BitRate::from_kbit);
    rate.ok_or_else(|| "106, 212, 424 or 848".to_owned())
}

fn trace(
    context: &Context,
    card: Box<dyn CardTransport>,
) -> Result<Box<dyn CardTransport>, Failure> {
    let Some(path) = &context.trace else { return Ok(card) };
    // An older trace of the same name is replaced; the new one is readable by its owner alone.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::file(path, &error));
        }
        _ => {}
    }
    let file = output::create_private(path).map_err(|e| Failure::file(path, &e))?;
    Ok(Box::new(TracingTransport::new(card, file, context.trace_secrets)))
}

/// A failure of the way to the card: exit code 4.
pub(super) fn transport(error: &TransportError) -> Failure {
    Failure::from_error(ExitStatus::Card, error)
}

/// A failure in talking to the card: 4 where it did not answer, 5 where it refused, 6 where the
/// terminal's own certificates or key are not what they must be.
pub(super) fn terminal(error: &TerminalError) -> Failure {
    let exit = match error {
        TerminalError::Transport(_) => ExitStatus::Card,
        TerminalError::PasswordMissing { .. } => ExitStatus::Usage,
        // By the dates a refusal of the card is explained.
        TerminalError::Certificates(CvcError::Expired { .. }) => ExitStatus::Refused,
        TerminalError::Certificates(_) | TerminalError::TerminalKeyMismatch => ExitStatus::BadInput,
        TerminalError::Signer(SignerError::Unavailable(_)) => ExitStatus::Unavailable,
        _ => ExitStatus::Refused,
    };
    Failure::from_error(exit, error)
}
