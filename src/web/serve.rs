//! Connections: so many, each with so much time for the head of a request.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shown;

/// Connections at a time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// For the head of a request, and for the next one on the same connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a head.
const MAX_HEAD: usize = 16 * 1_024;
/// After a connection that could not be taken: too many open files, say.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves in a thread of its own until nobody can show anything any more.
pub(super) fn start(
    listener: std::net::TcpListener,
    app: Router,
    mut shown: watch::Receiver<Arc<Shown>>,
) -> io::Result<JoinHandle<()>> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new().name("web".to_owned()).spawn(move || {
        runtime.spawn(accept(listener, app));
        runtime.block_on(async { while shown.changed().await.is_ok() {} });
        // What is still connected is cut off here, with the runtime.
    })
}

async fn accept(listener: TcpListener, app: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, app.clone(), place));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, app: Router, _place: OwnedSemaphorePermit) {
    // Without it what changes waits for an acknowledgement of what changed before.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .await;
    if let Err(error) = served {
        tracing::debug!("a connection of the page ended: {error}");
    }
}
