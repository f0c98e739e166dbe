//! `gp diagnose`: which keys a card holds, without trying any on it.

use clap::Args;
use serde_json::json;

use super::super::{Context, ExitStatus, Failure, output, personalize, reader, secret};
use super::{bytes, open};
use crate::globalplatform::diagnosis::{Explanation, InitializeAnswer, Suspect, diagnose};
use crate::globalplatform::diversification::{CardData, Diversification};
use crate::globalplatform::link::Link;
use crate::globalplatform::{GlobalPlatformError, ISSUER_SECURITY_DOMAIN, KeySet, session};

/// Find out which of your keys, and which derivation, explain what the card proves. One INITIALIZE
/// UPDATE is asked for; nothing is tried on the card.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp diagnose --suspect transport=file:transport.txt --suspect master=env:MASTER\n  \
    cancuoc gp diagnose --suspect test=test --derivation 'ecb: kdd[4..10] F0 key kdd[4..10] 0F key'\n  \
    cancuoc gp diagnose --suspect test=test --challenge D5AD539A60CA5E72 \\\n      \
    --answer 000074746E6E6E6262620102069FAA2A0591E73367DD78794D04315E")]
pub(super) struct Arguments {
    /// Keys that may be in the card, or that its keys may be derived from: NAME=KEYS, KEYS as in
    /// --card-keys; repeat for more. The public test keys are always looked at.
    #[arg(long = "suspect", value_name = "NAME=KEYS")]
    suspects: Vec<String>,
    /// A derivation to try besides kdf3, emv, visa2 and visa: a template; repeat for more.
    #[arg(long = "derivation", value_name = "TEMPLATE", value_parser = Diversification::parse)]
    derivations: Vec<Diversification>,
    /// Version of the keys to ask for, two hexadecimal digits; 00 lets the card choose.
    #[arg(long, value_name = "HEX", value_parser = super::super::card_keys::version, default_value = "00")]
    key_version: u8,
    /// Judge a recorded answer to INITIALIZE UPDATE instead of a card: its data in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = bytes, requires = "challenge")]
    answer: Option<std::vec::Vec<u8>>,
    /// The challenge that the recorded answer is to.
    #[arg(long, value_name = "HEX", value_parser = bytes, requires = "answer")]
    challenge: Option<std::vec::Vec<u8>>,
}

/// An answer with all that the derivations ask for.
struct Evidence {
    challenge: Vec<u8>,
    answer: InitializeAnswer,
    found: Vec<Explanation>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let suspects = suspects(context, arguments)?;
    let mut derivations = Diversification::usual();
    derivations.extend(arguments.derivations.iter().cloned());
    let evidence = match (&arguments.answer, &arguments.challenge) {
        (Some(answer), Some(challenge)) => {
            let answer = InitializeAnswer::parse(answer)
                .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))?;
            let number = answer.diversification().to_vec();
            let card = CardData { diversification: Some(&number), ..CardData::default() };
            judge(answer, challenge.clone(), &card, &suspects, &derivations)?
        }
        _ => ask(context, arguments, &suspects, &derivations)?,
    };
    report(context, &evidence)
}

fn suspects(context: &Context, arguments: &Arguments) -> Result<Vec<Suspect>, Failure> {
    let bad = |error: GlobalPlatformError| Failure::from_error(ExitStatus::BadInput, &error);
    let mut suspects = vec![Suspect::new("test", &KeySet::test_keys().map_err(bad)?)];
    for text in &arguments.suspects {
        let (name, keys) =
            text.split_once('=').ok_or_else(|| Failure::usage("--suspect NAME=KEYS"))?;
        let keys = secret::read(context, "--suspect", keys)?;
        suspects.push(Suspect::new(name, &KeySet::parse(&keys, 0).map_err(bad)?));
    }
    Ok(suspects)
}

fn ask(
    context: &Context,
    arguments: &Arguments,
    suspects: &[Suspect],
    derivations: &[Diversification],
) -> Result<Evidence, Failure> {
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    let identity = open::identify(&mut link)?;
    let numbers = session::card_numbers(&mut link).map_err(fail)?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let begun = session::begin(&mut link, arguments.key_version, &mut random).map_err(fail)?;
    let status = begun.answer.status;
    if !status.is_ok() {
        return Err(fail(GlobalPlatformError::Refused { command: "INITIALIZE UPDATE", status }));
    }
    let answer = InitializeAnswer::parse(&begun.answer.data).map_err(fail)?;
    let data = answer.clone();
    let card = open::card_data(&identity, &numbers, &data);
    judge(answer, begun.challenge, &card, suspects, derivations)
}

fn judge(
    answer: InitializeAnswer,
    challenge: Vec<u8>,
    card: &CardData<'_>,
    suspects: &[Suspect],
    derivations: &[Diversification],
) -> Result<Evidence, Failure> {
    let domain = &ISSUER_SECURITY_DOMAIN;
    let found = diagnose(&answer, &challenge, card, suspects, derivations, domain)
        .map_err(|error| personalize::card_failure(&error))?;
    Ok(Evidence { challenge, answer, found })
}

fn report(context: &Context, evidence: &Evidence) -> Result<ExitStatus, Failure> {
    let Evidence { challenge, answer, found } = evidence;
    let protocol = format!("SCP{:02}", answer.protocol());
    let version = format!("{:02X}", answer.key_version());
    let number = hex::encode_upper(answer.diversification());
    if context.json {
        let matches = found.iter().map(|explanation| {
            json!({
                "keys": explanation.suspect,
                "derivation": explanation.derivation,
                "master_cipher": explanation.master_cipher,
                "challenge_is_derived": explanation.challenge_is_derived,
            })
        });
        output::json(&json!({
            "schema": "cancuoc.gp-diagnose/1",
            "protocol": protocol,
            "key_version": version,
            "diversification_data": number,
            "challenge": hex::encode_upper(challenge),
            "matches": matches.collect::<Vec<_>>(),
        }))?;
        let done = if found.is_empty() { ExitStatus::Refused } else { ExitStatus::Done };
        return Ok(done);
    }
    let values = [("protocol", &protocol[..]), ("version", &version), ("data", &number)];
    output::line(&context.text("gp.diagnose.answer", &values))?;
    for explanation in found {
        let derivation = match (&explanation.derivation, explanation.master_cipher) {
            (Some(derivation), Some(cipher)) => format!("{derivation} ({cipher})"),
            _ => context.text("gp.diagnose.as_they_are", &[]),
        };
        let values = [("keys", &explanation.suspect[..]), ("derivation", &derivation)];
        output::line(&context.text("gp.diagnose.match", &values))?;
    }
    if found.is_empty() {
        return Err(Failure::new(ExitStatus::Refused, "gp_keys_unknown", "no match"));
    }
    Ok(ExitStatus::Done)
}
