//! A page that shows a checkpoint: HTTP/1 on one address, for whoever holds the token.
//!
//! The page knows no rules and no words: it is handed a state as JSON text ([`Shown`]) each time
//! that something changes, and hands on what its person does as [`Event`]s. Nothing is kept: a
//! portrait is encoded when it is asked for, and gone with the state that named it.
//!
//! # What protects it
//!
//! - Who shows no [`Token`] sees the empty page and nothing else. The token stands in the fragment
//!   of the address that is printed, which browsers send to nobody; the page's own script sends it
//!   in a header. No cookie: cookies know no ports, and would go to every server of this machine.
//! - A request under another name than the address the server listens on is refused: a name of
//!   somebody else's that leads here (DNS rebinding) gets nothing. So is one from another site's
//!   page.
//! - The page runs the three scripts that are part of this program, and nothing else; what a card
//!   says is shown as text, never as markup (`require-trusted-types-for` forbids the rest).
//! - Nothing may be stored on the way or shown in a frame. Addresses hold nothing personal.
//! - Connections, heads, bodies and their times are bounded; an idle connection gives way to a new one.
//!
//! There is no TLS: over a network use a tunnel.

mod assets;
mod guard;
mod places;
mod routes;
mod serve;
#[cfg(test)]
mod tests;
mod token;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::checkpoint::{Event, Inspected};
use crate::error::ErrorCode;
pub use assets::{Words, index, index_keys};
use guard::Hosts;
use serve::Limits;
pub use token::Token;

/// What the page shows now.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// JSON without line ends, for the page's script.
    pub state: String,
    /// Cards whose portraits the state names, by the numbers that it gives them.
    pub portraits: Vec<(u64, Arc<Inspected>)>,
}

/// Where the page's person sends what happens; false where nobody takes it any more.
pub type Inbox = Box<dyn Fn(Event) -> bool + Send + Sync>;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum WebError {
    /// The address cannot be listened on.
    #[error("{address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server cannot be started.
    #[error("the server does not start: {0}")]
    Start(std::io::Error),
}

impl ErrorCode for WebError {
    fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "web_listen",
            Self::Start(_) => "web_start",
        }
    }
}

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
    index: String,
    limits: Limits,
}

impl Server {
    /// Takes the address; port 0 for any that is free.
    ///
    /// # Errors
    /// [`WebError::Listen`].
    pub fn bind(address: SocketAddr, token: Token, index: String) -> Result<Self, WebError> {
        let failed = |source| WebError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, token, index, limits: Limits::default() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to open, token included: for the eyes of who started the program.
    #[must_use]
    pub fn url(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("http://{}/#{}", self.address, self.token.expose()))
    }

    /// Begins to answer, in a thread of its own, until the [`Display`] is dropped.
    ///
    /// # Errors
    /// [`WebError::Start`].
    pub fn start(self, inbox: Inbox) -> Result<Display, WebError> {
        let (sender, shown) = watch::channel(Arc::new(Shown::default()));
        let app = routes::app(routes::Site {
            token: self.token,
            hosts: Hosts::of(self.address),
            index: self.index,
            shown: shown.clone(),
            inbox,
        });
        let thread =
            serve::start(self.listener, app, shown, self.limits).map_err(WebError::Start)?;
        Ok(Display { sender: Some(sender), thread: Some(thread) })
    }
}

/// A page that is being served.
#[derive(Debug)]
pub struct Display {
    sender: Option<watch::Sender<Arc<Shown>>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows this from now on.
    pub fn show(&self, shown: Shown) {
        if let Some(sender) = &self.sender {
            sender.send_replace(Arc::new(shown));
        }
    }
}

impl Drop for Display {
    /// Ends the server: it ends when nobody can show anything any more.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
