//! Where the chain joins the journal: what happened there becomes the next entry, in the same transaction.

use super::entry::Fact;
use super::{Act, AuditError, Head, Sealer};
use crate::pki::Signer;
use crate::production::journal::{self, AuditEntry, AuditFact, AuditHead, StationId};

/// Seals what a journal tells, as the chain of one signing key.
#[derive(Debug)]
pub struct StationAudit {
    chain: StationId,
    sealer: Sealer,
    person: Option<String>,
}

impl StationAudit {
    /// The chain of that name, with its key.
    ///
    /// # Errors
    /// [`AuditError::Field`] for a name that is none.
    pub fn new(chain: StationId, signer: Box<dyn Signer + Send>) -> Result<Self, AuditError> {
        let sealer = Sealer::new(chain.as_str(), signer)?;
        Ok(Self { chain, sealer, person: None })
    }

    /// The same for somebody who signed in: they stand as who did it.
    #[must_use]
    pub fn by(mut self, person: &str) -> Self {
        self.person = Some(person.to_owned());
        self
    }

    fn act(&self, fact: &AuditFact) -> Act {
        let station = fact.station.as_str();
        let actor = self.person.as_deref().unwrap_or(station);
        let mut act = Act::new(fact.at, actor, fact.event);
        act.run = fact.run.as_ref().map(ToString::to_string);
        act.record = fact.record.as_ref().map(ToString::to_string);
        act.chip = fact.chip.as_ref().map(ToString::to_string);
        for (name, value) in fact.detail.iter() {
            let value = match value {
                journal::Fact::Flag(flag) => Fact::Flag(*flag),
                journal::Fact::Number(number) => Fact::Number(*number),
                journal::Fact::Text(text) => Fact::Text(text.clone()),
            };
            act.facts.insert(name.to_owned(), value);
        }
        if actor != station {
            act = act.with("station", station);
        }
        act
    }
}

impl journal::Audit for StationAudit {
    fn chain(&self) -> &StationId {
        &self.chain
    }

    fn seal(
        &mut self,
        fact: &AuditFact,
        head: Option<AuditHead>,
    ) -> Result<journal::SealedEntry, String> {
        let head = head.map(|head| Head::of_journal(&self.chain, head));
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        let sealed = self.sealer.seal(head.as_ref(), vec![self.act(fact)], fact.at, &mut random);
        let sealed = sealed.map_err(|error| error.to_string())?;
        let (entry, hash, signature) = (sealed.bytes, sealed.hash, sealed.signature);
        Ok(journal::SealedEntry { entry, hash, signature })
    }
}

impl Head {
    /// The head of a chain as a journal has it.
    #[must_use]
    pub fn of_journal(chain: &StationId, head: AuditHead) -> Self {
        Self { station: chain.to_string(), sequence: head.sequence, hash: head.hash }
    }
}

impl super::SealedEntry {
    /// An entry as a journal has it.
    #[must_use]
    pub fn of_journal(chain: &StationId, entry: AuditEntry) -> Self {
        Self {
            station: chain.to_string(),
            sequence: entry.sequence,
            previous: entry.previous,
            hash: entry.sealed.hash,
            bytes: entry.sealed.entry,
            signature: entry.sealed.signature,
        }
    }
}
