//! What became of the records of a run, out of the journal.

use jiff::Timestamp;

use super::export::{CardResult, DestroyedCard, RESULT, ResultOutcome};
use super::journal::{Card, Facts, Journal, JournalError, Record, RunName};
use super::state::{CardState, RecordState};

/// Records asked for at a time.
const PAGE: usize = 500;

/// Gives the number of a record from its sealed payload; `None` where it is not wanted.
pub type NumberOf<'a, E> = dyn FnMut(&Record, &[u8]) -> Result<Option<String>, E> + 'a;

/// Gives every finished record of a run to `each`, in the order of the run: issued, withdrawn, or
/// in quarantine. `number` gives the number of a record from its sealed payload, where it is wanted
/// and not erased.
///
/// # Errors
/// [`JournalError`]; what `each` says.
pub fn results<E: From<JournalError>>(
    journal: &mut Journal,
    run: &RunName,
    number: &mut NumberOf<'_, E>,
    each: &mut dyn FnMut(CardResult) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = 0;
    loop {
        let page = journal.records(run, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.sequence;
        for record in &page {
            let Some(outcome) = outcome(record.state) else { continue };
            let payload = journal.payload(&record.id)?;
            let number = match payload {
                Some(payload) => number(record, &payload)?,
                None => None,
            };
            let cards = journal.cards(&record.id)?;
            each(result(record, outcome, number, &cards))?;
        }
    }
}

/// How a record ended; `None` for one that is still in work.
const fn outcome(state: RecordState) -> Option<ResultOutcome> {
    match state {
        RecordState::Issued | RecordState::Revoked => Some(ResultOutcome::Issued),
        RecordState::Quarantined => Some(ResultOutcome::Quarantined),
        RecordState::Void => Some(ResultOutcome::Void),
        RecordState::Queued | RecordState::Leased => None,
    }
}

fn result(
    record: &Record,
    outcome: ResultOutcome,
    number: Option<String>,
    cards: &[Card],
) -> CardResult {
    let living = cards.iter().find(|card| card.state != CardState::Void);
    let fact = |name| living.and_then(|card| card.facts.text(name)).map(ToOwned::to_owned);
    let time = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let destroyed = cards.iter().filter(|card| card.state == CardState::Void);
    CardResult {
        schema: RESULT.to_owned(),
        record: record.id.to_string(),
        run: record.run.to_string(),
        outcome,
        number,
        chip: living.map(|card| card.chip.to_string()),
        attempts: u32::try_from(cards.len()).unwrap_or(u32::MAX),
        sod_sha256: fact(Facts::SOD_DIGEST),
        document_signer_serial: fact(Facts::SIGNER_SERIAL),
        station: living.map(|card| card.station.to_string()),
        started: living.map(|card| time(card.reserved)),
        finished: (outcome == ResultOutcome::Issued)
            .then(|| living.map(|card| time(card.updated)))
            .flatten(),
        reason: record.reason.clone(),
        destroyed: destroyed
            .map(|card| DestroyedCard {
                chip: card.chip.to_string(),
                attempt: card.attempt,
                reason: card.facts.text("reason").unwrap_or("given_back").to_owned(),
                time: time(card.updated),
            })
            .collect(),
    }
}
