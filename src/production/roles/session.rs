//! Sessions: somebody works at a station until they go, or leave it alone for too long.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::{ActKind, ApprovalFile, People, Role, RoleError, Wanted, authorize};
use crate::error::ErrorCode;
use crate::production::audit::Act;

/// How long a session may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without anything being done.
    pub idle: SignedDuration,
    /// In all.
    pub longest: SignedDuration,
}

impl Default for SessionLimits {
    /// Ten minutes without anything being done, twelve hours in all.
    fn default() -> Self {
        Self { idle: SignedDuration::from_mins(10), longest: SignedDuration::from_hours(12) }
    }
}

/// Why a session is over: whoever it was must sign in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionEnd {
    /// Nothing was done for too long.
    #[error("nothing was done for too long")]
    Idle,
    /// It lasted too long.
    #[error("the session lasted too long")]
    TooLong,
    /// The clock went back.
    #[error("the clock went back")]
    ClockBack,
}

impl ErrorCode for SessionEnd {
    fn code(&self) -> &'static str {
        match self {
            Self::Idle => "session_idle",
            Self::TooLong => "session_too_long",
            Self::ClockBack => "session_clock_back",
        }
    }
}

/// Somebody who works at a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    person: String,
    roles: BTreeSet<Role>,
    opened: Timestamp,
    last: Timestamp,
    limits: SessionLimits,
    end: Option<SessionEnd>,
}

impl Session {
    /// Opens one for whoever signed a statement for this station; gives the act for the audit record.
    ///
    /// # Errors
    /// [`RoleError`].
    pub fn open(
        people: &People,
        file: &ApprovalFile,
        station: &str,
        limits: SessionLimits,
        now: Timestamp,
    ) -> Result<(Self, Act), RoleError> {
        let wanted = Wanted { act: ActKind::OpenSession, subject: station, run: None };
        let authorized = authorize(people, file, &wanted, now)?;
        let [person] = authorized.people() else {
            return Err(RoleError::Other("person: one opens a session"));
        };
        let roles = people.find(person)?.roles.clone();
        let person = person.clone();
        let act = authorized.act(&person);
        Ok((Self { person, roles, opened: now, last: now, limits, end: None }, act))
    }

    /// Who works.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.person
    }

    /// Whether they have a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Asked before each act: a session that is over stays so.
    ///
    /// # Errors
    /// [`SessionEnd`].
    pub fn touch(&mut self, now: Timestamp) -> Result<(), SessionEnd> {
        let idle = now.duration_since(self.last);
        let end = self.end.or_else(|| {
            if idle < SignedDuration::ZERO {
                Some(SessionEnd::ClockBack)
            } else if now.duration_since(self.opened) > self.limits.longest {
                Some(SessionEnd::TooLong)
            } else {
                (idle > self.limits.idle).then_some(SessionEnd::Idle)
            }
        });
        self.end = end;
        match end {
            Some(end) => Err(end),
            None => {
                self.last = now;
                Ok(())
            }
        }
    }
}
