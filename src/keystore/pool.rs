//! Sessions that are kept open, so many and no more.

use std::cell::RefCell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

/// A session and the handles of keys found in it.
pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) handles: RefCell<Vec<(String, ObjectHandle)>>,
}

impl Connection {
    pub(super) const fn new(session: Session) -> Self {
        Self { session, handles: RefCell::new(Vec::new()) }
    }
}

/// The sessions of a token.
pub(super) struct Pool {
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Given out and not yet back.
    out: usize,
}

/// A place among the sessions, given back when dropped.
pub(super) struct Place<'a> {
    pool: &'a Pool,
    /// The session, where one was open already; what is in it goes back.
    pub(super) connection: Option<Connection>,
}

impl Pool {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), state: Mutex::default(), returned: Condvar::new() }
    }

    /// A place, as soon as there is one; none after so long.
    pub(super) fn take(&self, wait: Duration) -> Option<Place<'_>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |state: &mut State| state.out >= self.most;
        let waited = self.returned.wait_timeout_while(state, wait, full);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return None;
        }
        state.out += 1;
        Some(Place { pool: self, connection: state.idle.pop() })
    }

    /// Closes the sessions that nobody uses.
    pub(super) fn clear(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).idle.clear();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.out -= 1;
        state.idle.extend(self.connection.take());
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_no_more_places_than_there_are() {
        let pool = Pool::new(2);
        let (first, _second) = (pool.take(Duration::ZERO), pool.take(Duration::ZERO));
        assert!(pool.take(Duration::from_millis(1)).is_none());
        drop(first);
        assert!(pool.take(Duration::ZERO).is_some());
    }
}
