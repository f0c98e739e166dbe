//! Counts of a run, for the screen and the report.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::database::{Row, values};
use super::rows;
use super::transaction::Transaction;
use super::{Counters, Journal, JournalError, RunName, StationCounters, StationId, StepTime};

/// Most reasons that are listed.
const MAX_REASONS: i64 = 100;

impl Journal {
    /// Counts of a run: records and cards as they are, stations and times by the steps since
    /// `since`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn counters(
        &mut self,
        run: &RunName,
        since: Option<Timestamp>,
    ) -> Result<Counters, JournalError> {
        let since = since.map_or(i64::MIN, Timestamp::as_microsecond);
        self.read(|tx| {
            let run = tx.run(run)?.key;
            let records = tx.query(
                "SELECT state, COUNT(*) FROM record WHERE run_id = ?1 GROUP BY state",
                values![run],
            )?;
            let cards = tx.query(
                "SELECT state, COUNT(*) FROM card WHERE run_id = ?1 AND given_back = 0
                 GROUP BY state",
                values![run],
            )?;
            let mut counters = Counters::default();
            for row in &records {
                counters.records.push((rows::record_state(row.text(0)?)?, row.count(1)?));
            }
            for row in &cards {
                counters.cards.push((rows::card_state(row.text(0)?)?, row.count(1)?));
            }
            counters.records.sort_unstable();
            counters.cards.sort_unstable();
            counters.stations = tx.station_counters(run, since)?;
            counters.steps = tx.step_times(run, since)?;
            counters.reasons = tx.reasons(run)?;
            Ok(counters)
        })
    }
}

impl Transaction<'_> {
    fn station_counters(
        &mut self,
        run: i64,
        since: i64,
    ) -> Result<Vec<StationCounters>, JournalError> {
        let found = self.query(
            "SELECT station, MIN(at), MAX(at),
                 COUNT(CASE WHEN to_state = 'recorded' THEN 1 END),
                 COUNT(CASE WHEN to_state = 'void' THEN 1 END),
                 COUNT(CASE WHEN to_state = 'quarantine' THEN 1 END)
             FROM step WHERE run_id = ?1 AND at >= ?2 GROUP BY station ORDER BY station",
            values![run, since],
        )?;
        let counters = |row: &Row| {
            let station = StationId::new(row.text(0)?);
            Ok(StationCounters {
                station: station.map_err(|_| rows::damaged("a name of a station"))?,
                first: rows::timestamp(row.integer(1)?)?,
                last: rows::timestamp(row.integer(2)?)?,
                issued: row.count(3)?,
                void: row.count(4)?,
                quarantined: row.count(5)?,
            })
        };
        found.iter().map(counters).collect()
    }

    fn step_times(&mut self, run: i64, since: i64) -> Result<Vec<StepTime>, JournalError> {
        let found = self.query(
            "SELECT to_state, COUNT(*), CAST(SUM(took) AS BIGINT), MAX(took)
             FROM step WHERE run_id = ?1 AND at >= ?2 AND announced = 0 GROUP BY to_state",
            values![run, since],
        )?;
        let time = |row: &Row| {
            Ok(StepTime {
                to: rows::card_state(row.text(0)?)?,
                count: row.count(1)?,
                total: Duration::from_micros(row.count(2)?),
                longest: Duration::from_micros(row.count(3)?),
            })
        };
        let mut times: Vec<_> = found.iter().map(time).collect::<Result<_, JournalError>>()?;
        times.sort_by_key(|time| time.to);
        Ok(times)
    }

    /// Reasons of records in quarantine and of destroyed chips, the most frequent first.
    fn reasons(&mut self, run: i64) -> Result<Vec<(String, u64)>, JournalError> {
        let mut reasons = BTreeMap::<String, u64>::new();
        for sql in [
            "SELECT reason, COUNT(*) FROM record WHERE run_id = ?1 AND state = 'quarantined'
             GROUP BY reason ORDER BY 2 DESC LIMIT ?2",
            "SELECT reason, COUNT(*) FROM stock WHERE run_id = ?1 AND state = 'destroyed'
             GROUP BY reason ORDER BY 2 DESC LIMIT ?2",
        ] {
            for row in self.query(sql, values![run, MAX_REASONS])? {
                let reason = row.optional_text(0)?.unwrap_or("unknown").to_owned();
                *reasons.entry(reason).or_default() += row.count(1)?;
            }
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(reasons)
    }
}
