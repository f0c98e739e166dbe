//! Connections: so many, each with so much time for the head of a request.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::future::{Either, select};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Shown;
use super::places::{Place, Places};

/// Bytes of a head.
const MAX_HEAD: usize = 16 * 1_024;
/// After a connection that could not be taken: too many open files, say.
const PAUSE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time. A further one takes the place of the one that has been idle longest; it
    /// waits where none is.
    pub connections: usize,
    /// For the head of a request, and for the next one on the same connection.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, head: Duration::from_secs(10) }
    }
}

/// Serves in a thread of its own until nobody can show anything any more.
pub(super) fn start(
    listener: std::net::TcpListener,
    app: Router,
    mut shown: watch::Receiver<Arc<Shown>>,
    limits: Limits,
) -> io::Result<JoinHandle<()>> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new().name("web".to_owned()).spawn(move || {
        runtime.spawn(accept(listener, app, limits));
        runtime.block_on(async { while shown.changed().await.is_ok() {} });
        // What is still connected is cut off here, with the runtime.
    })
}

async fn accept(listener: TcpListener, app: Router, limits: Limits) {
    let places = Places::new(limits.connections);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = places.take().await;
                tokio::spawn(connection(stream, app.clone(), place, limits));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, app: Router, place: Place, limits: Limits) {
    // Without it what changes waits for an acknowledgement of what changed before.
    let _ = stream.set_nodelay(true);
    let app = TowerToHyperService::new(app);
    let answer = |request: Request<Incoming>| {
        // At work from the head of a request to the end of what is answered, streams included.
        let work = place.work();
        let response = app.call(request);
        async move {
            let Ok(response) = response.await;
            Ok::<Response<Body>, Infallible>(response.map(|body| work.around(body)))
        }
    };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    match select(pin!(serving), pin!(place.given_up())).await {
        Either::Left((Ok(()), _)) => {}
        Either::Left((Err(error), _)) => {
            tracing::debug!("a connection of the page ended: {error}");
        }
        Either::Right(_) => tracing::debug!("an idle connection of the page gave way"),
    }
}
