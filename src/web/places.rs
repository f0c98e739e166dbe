//! Places for connections. One that is idle gives way to a new one: whoever opens many and asks for
//! nothing keeps nobody out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

/// All places.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    taken: Mutex<Taken>,
    /// A place became free, or idle.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    places: Vec<Entry>,
    /// Counts whatever happens, so that what is idle can be put in order.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Requests that are being answered.
    at_work: usize,
    /// When it became idle.
    idle_since: u64,
    /// It was told to give way.
    leaving: bool,
    leave: Arc<Notify>,
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing that holds it can panic half-way.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        self.places.iter_mut().find(|entry| entry.number == number)
    }
}

impl Places {
    /// So many places, at least one.
    pub(super) fn new(most: usize) -> Self {
        let (taken, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { most: most.max(1), taken, changed }))
    }

    /// A place: a free one, or that of whoever has been idle longest.
    pub(super) async fn take(&self) -> Place {
        loop {
            if let Some(place) = self.try_take() {
                return place;
            }
            self.0.changed.notified().await;
        }
    }

    fn try_take(&self) -> Option<Place> {
        let mut taken = self.0.taken();
        let now = taken.now();
        if taken.places.len() < self.0.most {
            let leave = Arc::new(Notify::new());
            taken.places.push(Entry {
                number: now,
                at_work: 0,
                idle_since: now,
                leaving: false,
                leave: leave.clone(),
            });
            return Some(Place { shared: self.0.clone(), number: now, leave });
        }
        // One at a time: whoever leaves frees a place for who waits.
        if !taken.places.iter().any(|entry| entry.leaving) {
            let idle = taken.places.iter_mut().filter(|entry| entry.at_work == 0);
            if let Some(oldest) = idle.min_by_key(|entry| entry.idle_since) {
                oldest.leaving = true;
                oldest.leave.notify_one();
            }
        }
        None
    }
}

/// The place of a connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    number: u64,
    leave: Arc<Notify>,
}

impl Place {
    /// Waits until the place is needed for another connection.
    pub(super) async fn given_up(&self) {
        self.leave.notified().await;
    }

    /// The connection is at work until this is dropped.
    pub(super) fn work(&self) -> Work {
        if let Some(entry) = self.shared.taken().entry(self.number) {
            entry.at_work += 1;
        }
        Work { shared: self.shared.clone(), number: self.number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.number;
        self.shared.taken().places.retain(|entry| entry.number != number);
        self.shared.changed.notify_one();
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Work {
    shared: Arc<Shared>,
    number: u64,
}

impl Work {
    /// The body, with which the work ends.
    pub(super) fn around(self, body: Body) -> Body {
        Body::new(WorkBody { body, _work: self })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        let now = taken.now();
        if let Some(entry) = taken.entry(self.number) {
            entry.at_work = entry.at_work.saturating_sub(1);
            entry.idle_since = now;
        }
        drop(taken);
        self.shared.changed.notify_one();
    }
}

/// A body that is work as long as it lasts.
#[derive(Debug)]
struct WorkBody {
    body: Body,
    _work: Work,
}

impl HttpBody for WorkBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;

    /// Whether it is done without waiting.
    fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_new_connection_takes_the_place_of_the_one_that_was_idle_longest() {
        let places = Places::new(2);
        let (first, second) = (places.try_take().unwrap(), places.try_take().unwrap());
        // The first one works, and is idle again after the second.
        drop(first.work());
        let mut third = std::pin::pin!(places.take());
        assert!(poll(third.as_mut()).is_none());
        assert!(poll(std::pin::pin!(first.given_up())).is_none());
        assert!(poll(std::pin::pin!(second.given_up())).is_some());
        drop(second);
        assert!(poll(third.as_mut()).is_some());
    }

    #[test]
    fn a_connection_at_work_is_waited_for() {
        let places = Places::new(1);
        let place = places.try_take().unwrap();
        let work = place.work();
        let mut next = std::pin::pin!(places.take());
        assert!(poll(next.as_mut()).is_none());
        assert!(poll(std::pin::pin!(place.given_up())).is_none());
        drop(work);
        assert!(poll(next.as_mut()).is_none());
        assert!(poll(std::pin::pin!(place.given_up())).is_some());
        drop(place);
        assert!(poll(next.as_mut()).is_some());
    }
}
