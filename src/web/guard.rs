//! What is looked at before a request is answered, and what every answer says.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::routes::Site;

/// How long a request may take to come in whole and to be answered; what is streamed counts not.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every answer says: run and show what comes from here alone, keep nothing, tell nobody.
const SEALS: [(HeaderName, &str); 10] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::PRAGMA, "no-cache"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=(), clipboard-read=(), \
         display-capture=()",
    ),
];

/// The names under which the server is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hosts(SocketAddr);

impl Hosts {
    /// Those of the address that it listens on.
    pub(super) const fn of(address: SocketAddr) -> Self {
        Self(address)
    }

    /// Whether this `Host` means the server. A name that somebody else lets lead here is refused:
    /// only addresses count, and `localhost`, which browsers never ask the net for.
    pub(super) fn admits(&self, host: &str) -> bool {
        let Some((name, port)) = split(host) else { return false };
        if port != self.0.port() {
            return false;
        }
        let own = self.0.ip();
        if name.eq_ignore_ascii_case("localhost") {
            return own.is_loopback() || own.is_unspecified();
        }
        let address = match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
            Some(v6) => v6.parse().map(IpAddr::V6),
            None => name.parse().map(IpAddr::V4),
        };
        address.is_ok_and(|address| own.is_unspecified() || address == own)
    }
}

/// Name and port of a `Host`; the port that HTTP has by itself where none is said.
fn split(host: &str) -> Option<(&str, u16)> {
    let end = if host.starts_with('[') {
        host.find(']')? + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let (name, rest) = host.split_at_checked(end)?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((name, 80)),
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some((name, digits.parse().ok()?))
        }
        Some(_) => None,
    }
}

/// Looks at every request, and seals every answer.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&site.hosts, &request) {
        Some(status) => status.into_response(),
        None => tokio::time::timeout(PATIENCE, next.run(request))
            .await
            .unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response()),
    };
    let headers = response.headers_mut();
    for (name, value) in SEALS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request is not even looked at.
fn refusal(hosts: &Hosts, request: &Request) -> Option<StatusCode> {
    let headers = request.headers();
    let host = only(headers, &header::HOST).filter(|host| hosts.admits(host));
    let Some(host) = host else { return Some(StatusCode::MISDIRECTED_REQUEST) };
    // A request as to a proxy names the host twice.
    if request.uri().authority().is_some_and(|authority| authority.as_str() != host) {
        return Some(StatusCode::MISDIRECTED_REQUEST);
    }
    let own = |origin: &str| origin.strip_prefix("http://") == Some(host);
    let foreign = match headers.contains_key(header::ORIGIN) {
        true => !only(headers, &header::ORIGIN).is_some_and(own),
        // Browsers always say where what changes something comes from.
        false => request.method() != Method::GET && request.method() != Method::HEAD,
    };
    foreign.then_some(StatusCode::FORBIDDEN)
}

/// The value of a header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Lets through who shows the token.
pub(super) async fn token(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let shown = only(request.headers(), &header::AUTHORIZATION);
    let offered = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !site.token.is(offered.as_bytes()) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hosts(address: &str) -> Hosts {
        Hosts::of(address.parse().unwrap())
    }

    #[test]
    fn on_loopback_it_is_asked_for_by_its_address_or_as_localhost() {
        let hosts = hosts("127.0.0.1:8080");
        for good in ["127.0.0.1:8080", "localhost:8080", "LocalHost:8080"] {
            assert!(hosts.admits(good), "{good}");
        }
        for bad in [
            "evil.example:8080",
            "127.0.0.1.evil.example:8080",
            "localhost.evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:8080:8080",
            "127.0.0.1:+8080",
            "127.0.0.1:",
            "127.0.0.2:8080",
            "127.1:8080",
            "user@127.0.0.1:8080",
            "[::1]:8080",
            "",
        ] {
            assert!(!hosts.admits(bad), "{bad}");
        }
    }

    #[test]
    fn knows_ports_and_addresses_of_both_kinds() {
        assert!(hosts("127.0.0.1:80").admits("127.0.0.1"));
        assert!(hosts("[::1]:8080").admits("[::1]:8080"));
        assert!(hosts("[::1]:8080").admits("[0:0::1]:8080"));
        assert!(!hosts("[::1]:8080").admits("[::2]:8080"));
        assert!(!hosts("[::1]:8080").admits("::1:8080"));
    }

    #[test]
    fn on_all_addresses_it_is_asked_for_by_an_address_and_never_by_a_name() {
        let hosts = hosts("0.0.0.0:8080");
        assert!(hosts.admits("192.0.2.7:8080") && hosts.admits("localhost:8080"));
        assert!(!hosts.admits("evil.example:8080") && !hosts.admits("192.0.2.7:8081"));
        assert!(!self::hosts("192.0.2.7:8080").admits("localhost:8080"));
    }

    proptest! {
        #[test]
        fn admits_no_name_and_panics_of_none(host in "\\PC{0,40}") {
            prop_assert!(!hosts("127.0.0.1:8080").admits(&host));
            hosts("[::]:8080").admits(&format!("[{host}]:8080"));
        }
    }
}
