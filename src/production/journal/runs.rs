//! Runs: opened, stopped, closed only when every card is accounted for.

use super::audit::AuditFact;
use super::database::values;
use super::rows::{self, RUN, RunRow};
use super::transaction::Transaction;
use super::{Act, Balance, Conflict, Facts, Journal, JournalError, NewRun, Run, RunName};
use crate::production::state::RunState;

impl Journal {
    /// Opens a run. One of the same name, profile and number of blank cards is the same run.
    ///
    /// # Errors
    /// [`Conflict::RunDiffers`].
    pub fn open_run(&mut self, act: Act<'_>, new: &NewRun) -> Result<Run, JournalError> {
        rows::checked_text(&new.profile)?;
        let handed_out = new.handed_out.map(rows::number).transpose()?;
        self.write_new(|tx| {
            if let Some(found) = tx.find_run(&new.name, "")? {
                let run = found.run;
                let same = run.profile == new.profile && run.handed_out == new.handed_out;
                return if same { Ok(run) } else { Err(Conflict::RunDiffers(run.name).into()) };
            }
            let act = tx.enter(act)?;
            tx.execute(
                "INSERT INTO run (name, profile, state, handed_out, created)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                values![
                    new.name.as_str(),
                    new.profile.as_str(),
                    RunState::Open.as_str(),
                    handed_out,
                    act.at
                ],
            )?;
            let detail = Facts::new().with("profile", new.profile.as_str());
            tx.audit(&AuditFact::new(act, "run_opened").of_run(&new.name).detail(detail))?;
            Ok(tx.run(&new.name)?.run)
        })
    }

    /// Sets how many blank cards were handed out for the run in all.
    ///
    /// # Errors
    /// [`Conflict::RunState`] when it is closed.
    pub fn set_handed_out(
        &mut self,
        act: Act<'_>,
        run: &RunName,
        cards: u64,
    ) -> Result<(), JournalError> {
        let number = rows::number(cards)?;
        self.write(|tx| {
            let found = tx.unclosed_run(run)?;
            if found.run.handed_out == Some(cards) {
                return Ok(());
            }
            let act = tx.enter(act)?;
            tx.change(
                "UPDATE run SET handed_out = ?2 WHERE run_id = ?1",
                values![found.key, number],
            )?;
            let detail = Facts::new().with("cards", number);
            tx.audit(&AuditFact::new(act, "cards_handed_out").of_run(run).detail(detail))
        })
    }

    /// The run of that name.
    ///
    /// # Errors
    /// [`Conflict::RunUnknown`].
    pub fn run(&mut self, name: &RunName) -> Result<Run, JournalError> {
        self.read(|tx| Ok(tx.run(name)?.run))
    }

    /// The latest runs, newest first, at most [`MAX_PAGE`](super::MAX_PAGE).
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn runs(&mut self) -> Result<Vec<Run>, JournalError> {
        self.read(|tx| {
            let sql = format!("SELECT {RUN} FROM run ORDER BY run_id DESC LIMIT 1000");
            tx.query(&sql, &[])?.iter().map(|row| Ok(rows::run(row)?.run)).collect()
        })
    }

    /// Stops the run: stations finish what they hold and are given nothing new.
    ///
    /// # Errors
    /// [`Conflict::RunState`] when it is closed.
    pub fn stop_run(
        &mut self,
        act: Act<'_>,
        run: &RunName,
        reason: &str,
    ) -> Result<(), JournalError> {
        rows::checked_text(reason)?;
        self.set_run_state(act, run, RunState::Stopped, Some(reason), "run_stopped")
    }

    /// Goes on with a run that was stopped.
    ///
    /// # Errors
    /// [`Conflict::RunState`] when it is closed.
    pub fn resume_run(&mut self, act: Act<'_>, run: &RunName) -> Result<(), JournalError> {
        self.set_run_state(act, run, RunState::Open, None, "run_resumed")
    }

    fn set_run_state(
        &mut self,
        act: Act<'_>,
        run: &RunName,
        state: RunState,
        reason: Option<&str>,
        event: &'static str,
    ) -> Result<(), JournalError> {
        self.write(|tx| {
            let found = tx.unclosed_run(run)?;
            // The first reason for which a run stopped is the one to look at.
            if found.run.state == state {
                return Ok(());
            }
            let act = tx.enter(act)?;
            tx.change(
                "UPDATE run SET state = ?2, reason = ?3 WHERE run_id = ?1",
                values![found.key, state.as_str(), reason],
            )?;
            let detail = reason.map_or(Facts::new(), |why| Facts::new().with("reason", why));
            tx.audit(&AuditFact::new(act, event).of_run(run).detail(detail))
        })
    }

    /// Where the cards of the run are. `left` is how many blank ones were counted.
    ///
    /// # Errors
    /// [`Conflict::RunUnknown`].
    pub fn balance(&mut self, run: &RunName, left: Option<u64>) -> Result<Balance, JournalError> {
        self.read(|tx| {
            let found = tx.run(run)?;
            tx.balance(&found, left)
        })
    }

    /// Closes the run. Every record is issued or withdrawn, no card is in work or in quarantine, and
    /// what was handed out is issued, void or left over; otherwise it stays open. A closed run stays
    /// closed.
    ///
    /// # Errors
    /// [`Conflict::RunUnbalanced`] with what was counted.
    pub fn close_run(
        &mut self,
        act: Act<'_>,
        run: &RunName,
        left: Option<u64>,
    ) -> Result<Balance, JournalError> {
        self.write(|tx| {
            let found = tx.lock_run(run)?;
            let balance = tx.balance(&found, left)?;
            if found.run.state == RunState::Closed {
                return Ok(balance);
            }
            if !balance.is_balanced() || !balance.is_finished() {
                let balance = Box::new(balance);
                return Err(Conflict::RunUnbalanced { run: run.clone(), balance }.into());
            }
            let act = tx.enter(act)?;
            tx.change(
                "UPDATE run SET state = ?2, closed = ?3 WHERE run_id = ?1",
                values![found.key, RunState::Closed.as_str(), act.at],
            )?;
            let detail = Facts::new()
                .with("issued", rows::number(balance.issued.0)?)
                .with("void", rows::number(balance.void.0)?)
                .with("left", rows::number(left.unwrap_or(0))?);
            tx.audit(&AuditFact::new(act, "run_closed").of_run(run).detail(detail))?;
            Ok(balance)
        })
    }
}

impl Transaction<'_> {
    fn find_run(&mut self, name: &RunName, lock: &str) -> Result<Option<RunRow>, JournalError> {
        let sql = format!("SELECT {RUN} FROM run WHERE name = ?1{lock}");
        self.first(&sql, values![name.as_str()])?.as_ref().map(rows::run).transpose()
    }

    pub(super) fn run(&mut self, name: &RunName) -> Result<RunRow, JournalError> {
        self.find_run(name, "")?.ok_or_else(|| Conflict::RunUnknown(name.clone()).into())
    }

    /// The run, which nobody else changes or gives records of until this transaction ends.
    fn lock_run(&mut self, name: &RunName) -> Result<RunRow, JournalError> {
        let lock = self.database.for_update();
        self.find_run(name, lock)?.ok_or_else(|| Conflict::RunUnknown(name.clone()).into())
    }

    fn unclosed_run(&mut self, name: &RunName) -> Result<RunRow, JournalError> {
        let found = self.lock_run(name)?;
        if found.run.state == RunState::Closed {
            return Err(Conflict::RunState { run: name.clone(), state: RunState::Closed }.into());
        }
        Ok(found)
    }

    /// The run in one of these states, which stays until this transaction ends.
    pub(super) fn run_in(
        &mut self,
        name: &RunName,
        allowed: &[RunState],
    ) -> Result<RunRow, JournalError> {
        let lock = self.database.for_share();
        let found = self.find_run(name, lock)?;
        let found = found.ok_or_else(|| Conflict::RunUnknown(name.clone()))?;
        if !allowed.contains(&found.run.state) {
            let state = found.run.state;
            return Err(Conflict::RunState { run: name.clone(), state }.into());
        }
        Ok(found)
    }

    fn balance(&mut self, run: &RunRow, left: Option<u64>) -> Result<Balance, JournalError> {
        let mut balance = Balance { handed_out: run.run.handed_out, left, ..Balance::default() };
        let cards = self.query(
            "SELECT state, COUNT(*) FROM card WHERE run_id = ?1 AND given_back = 0 GROUP BY state",
            values![run.key],
        )?;
        for row in &cards {
            match row.text(0)? {
                "recorded" => balance.issued.0 += row.count(1)?,
                "void" => balance.void.0 += row.count(1)?,
                _ => balance.in_work.0 += row.count(1)?,
            }
        }
        let chips = self.query(
            "SELECT state, COUNT(*) FROM stock WHERE run_id = ?1 GROUP BY state",
            values![run.key],
        )?;
        for row in &chips {
            match row.text(0)? {
                "issued" => balance.issued.1 += row.count(1)?,
                "destroyed" | "lost" => balance.void.1 += row.count(1)?,
                _ => balance.in_work.1 += row.count(1)?,
            }
        }
        let records = self.query(
            "SELECT state, COUNT(*) FROM record WHERE run_id = ?1 GROUP BY state",
            values![run.key],
        )?;
        for row in &records {
            match row.text(0)? {
                "issued" | "revoked" => balance.records_issued += row.count(1)?,
                "void" => {}
                _ => balance.unfinished += row.count(1)?,
            }
        }
        Ok(balance)
    }
}
