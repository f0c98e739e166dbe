//! What is asked for: the page, what it shows, and what its person does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::Stream;
use futures_util::stream::unfold;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use serde::Deserialize;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::guard::{Hosts, guard, token};
use super::{Inbox, Shown, Token, assets};
use crate::checkpoint::{CardOn, Event};

/// Where nothing changes, the page hears so often that it is still connected: what it shows must
/// not stand when nobody keeps it true.
const BEAT: Duration = Duration::from_secs(2);
/// Bytes of what the page sends at most: a scanned text with every character escaped.
const MAX_INPUT: usize = 32 * 1_024;

/// What all answers are made from.
pub(super) struct Site {
    pub token: Token,
    pub hosts: Hosts,
    pub index: String,
    pub shown: watch::Receiver<Arc<Shown>>,
    pub inbox: Inbox,
}

/// What the page's person does.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Input {
    /// A line was typed or scanned.
    Line(String),
    /// The holder of this card answered.
    Consent { agreed: bool, reader: String, arrival: u64 },
    /// All that is personal shall go.
    Clear {},
}

/// All paths.
pub(super) fn app(site: Site) -> Router {
    let site = Arc::new(site);
    let secret = Router::new()
        .route("/events", get(events))
        .route("/portrait/{number}", get(portrait))
        .route("/input", post(input))
        .route_layer(from_fn_with_state(site.clone(), token));
    let mut open = Router::new().route("/", get(index));
    for asset in assets::ASSETS {
        let answer = ([(header::CONTENT_TYPE, asset.media_type)], asset.text);
        open = open.route(asset.path, get(move || async move { answer }));
    }
    open.merge(secret)
        .layer(DefaultBodyLimit::max(MAX_INPUT))
        .layer(from_fn_with_state(site.clone(), guard))
        .with_state(site)
}

async fn index(State(site): State<Arc<Site>>) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], site.index.clone()).into_response()
}

/// The state now and whenever it changes, as server-sent events; the newest one where several came
/// meanwhile.
async fn events(
    State(site): State<Arc<Site>>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let mut shown = site.shown.clone();
    shown.mark_changed();
    Sse::new(unfold(shown, |mut shown| async {
        let event = match tokio::time::timeout(BEAT, shown.changed()).await {
            Ok(Ok(())) => {
                let state = shown.borrow_and_update().clone();
                sse::Event::default().event("state").data(&state.state)
            }
            // The checkpoint ended.
            Ok(Err(_)) => return None,
            Err(_) => sse::Event::default().comment("here"),
        };
        Some((Ok(event), shown))
    }))
}

/// A portrait of what is shown now, encoded anew: bytes of a card reach no decoder of a browser.
async fn portrait(State(site): State<Arc<Site>>, Path(number): Path<u64>) -> Response {
    let shown = site.shown.borrow().clone();
    let inspected = shown.portraits.iter().find(|(n, _)| *n == number).map(|(_, card)| card);
    let picture = inspected.and_then(|inspected| inspected.portrait.as_ref());
    match picture.and_then(png) {
        Some(bytes) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn png(picture: &RgbImage) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    PngEncoder::new(&mut bytes)
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some(bytes)
}

async fn input(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|t| t == "application/json");
    if !json {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let event = match serde_json::from_slice(&body) {
        Ok(Input::Line(text)) => Event::Line(Zeroizing::new(text)),
        Ok(Input::Consent { agreed, reader, arrival }) => {
            Event::Consent { agreed, card: Some(CardOn { reader, arrival }) }
        }
        Ok(Input::Clear {}) => Event::Clear,
        Err(_) => return StatusCode::BAD_REQUEST,
    };
    match (site.inbox)(event) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}
