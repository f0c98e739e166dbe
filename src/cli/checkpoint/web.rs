//! The page as a view: its options, its token, and what it is handed.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::page::{self, Portraits};
use super::run::{Post, View};
use super::site_secret;
use crate::checkpoint::Checkpoint;
use crate::cli::text::{Lang, text};
use crate::cli::{Context, ExitStatus, Failure};
use crate::web::{self, Display, Server, Shown, Token, WebError, Words};

/// Options of the page.
#[derive(Debug, Args)]
pub(super) struct WebOptions {
    /// Show the checkpoint as a page at ADDRESS, for example 127.0.0.1:8080, not on the terminal;
    /// port 0 for any that is free. The whole address to open is written on standard error.
    #[arg(long, value_name = "ADDRESS")]
    web: Option<SocketAddr>,
    /// Let other machines open the page: for an ADDRESS that is not of the loopback interface.
    /// Nothing is encrypted on the way.
    #[arg(long, requires = "web")]
    web_remote: bool,
    /// Keep the token that opens the page in FILE; made if absent, with mode 0600. Left out: a new
    /// one each time.
    #[arg(long, value_name = "FILE", requires = "web")]
    web_token: Option<PathBuf>,
}

impl WebOptions {
    /// Whether there shall be a page.
    pub(super) const fn is_given(&self) -> bool {
        self.web.is_some()
    }

    /// The page, which has its address from here on.
    ///
    /// # Errors
    /// A [`Failure`] where the address reaches further than was allowed, is taken, or the token's
    /// file is none.
    pub(super) fn page<'a>(
        &'a self,
        context: &'a Context,
        consent: Option<String>,
    ) -> Result<Option<Page<'a>>, Failure> {
        let Some(address) = self.web else { return Ok(None) };
        let remote = !address.ip().is_loopback();
        if remote && !self.web_remote {
            return Err(Failure::new(ExitStatus::Usage, "web_remote", address.to_string()));
        }
        let token = self.token()?;
        let index = web::index(tag(context.lang), |key| words(context.lang, key));
        let server = Server::bind(address, token, index).map_err(|e| failure(&e))?;
        Ok(Some(Page {
            context,
            consent,
            options: self,
            remote,
            server: Some(server),
            display: None,
            portraits: Portraits::default(),
            shown: String::new(),
        }))
    }

    fn token(&self) -> Result<Token, Failure> {
        match &self.web_token {
            Some(path) => Ok(Token::from_bytes(&*site_secret::load(path, "web_token_malformed")?)),
            None => Ok(Token::random(&mut rand_core::UnwrapErr(getrandom::SysRng))),
        }
    }
}

fn failure(error: &WebError) -> Failure {
    Failure::from_error(ExitStatus::Unavailable, error)
}

const fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::Vi => "vi",
        Lang::En => "en",
    }
}

fn words(first: Lang, key: &str) -> Words {
    let second = first.pick(Lang::Vi, Lang::En);
    [first, second].map(|lang| (tag(lang), text(lang, key, &[])))
}

/// The page.
pub(super) struct Page<'a> {
    context: &'a Context,
    consent: Option<String>,
    options: &'a WebOptions,
    remote: bool,
    server: Option<Server>,
    display: Option<Display>,
    portraits: Portraits,
    shown: String,
}

impl Page<'_> {
    /// Says where the page is. A token that is kept in a file is not written elsewhere.
    fn announce(&self, server: &Server) {
        let address = format!("http://{}/", server.address());
        let line = match &self.options.web_token {
            Some(path) => {
                let values = [("url", &*address), ("path", &*path.display().to_string())];
                self.context.text("checkpoint.web.open_kept", &values)
            }
            None => self.context.text("checkpoint.web.open", &[("url", &server.url())]),
        };
        let mut stderr = anstream::stderr();
        // Whoever closed standard error does not want to know.
        let _ = writeln!(stderr, "{line}");
        if self.remote {
            let warning = self.context.text("checkpoint.web.remote", &[]);
            let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
            let _ = writeln!(stderr, "{yellow}{warning}{yellow:#}");
        }
    }
}

impl View for Page<'_> {
    fn begin(&mut self, post: &Post) -> Result<(), Failure> {
        let Some(server) = self.server.take() else { return Ok(()) };
        self.announce(&server);
        let post = post.clone();
        let inbox = Box::new(move |event| post.event(event));
        self.display = Some(server.start(inbox).map_err(|e| failure(&e))?);
        Ok(())
    }

    fn draw(&mut self, checkpoint: &Checkpoint, _now: Duration) -> Result<(), Failure> {
        let state = page::state(checkpoint, self.consent.as_deref(), &mut self.portraits);
        let state = state.to_string();
        if let Some(display) = &self.display
            && state != self.shown
        {
            self.shown.clone_from(&state);
            display.show(Shown { state, portraits: self.portraits.shown() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::find;

    #[test]
    fn the_catalogue_has_every_text_of_the_page() {
        for key in web::index_keys() {
            for lang in [Lang::Vi, Lang::En] {
                assert!(find(lang, key, &[]).is_some_and(|text| !text.contains('{')), "{key}");
            }
        }
    }
}
