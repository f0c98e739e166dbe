//! The server over a real connection, spoken to by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use image::{Rgb, RgbImage};

use super::*;
use crate::checkpoint::{Holder, Timing};
use crate::verify::Verdict;

struct Page {
    address: SocketAddr,
    token: String,
    display: Option<Display>,
    events: Receiver<Event>,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let line = |l: &&str| l.to_lowercase().starts_with(&format!("{}:", name.to_lowercase()));
        self.head.lines().find(line).and_then(|l| l.split_once(": ")).map(|(_, value)| value)
    }
}

impl Page {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let token = Token::random(&mut rand_core::UnwrapErr(getrandom::SysRng));
        let digits = token.expose().to_owned();
        let index = index("vi", |key| [("vi", key.to_owned()), ("en", key.to_owned())]);
        let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), token, index).unwrap();
        server.limits = limits;
        let address = server.address;
        assert_eq!(*server.url(), format!("http://{address}/#{digits}"));
        let (sender, events) = channel();
        let display = server.start(Box::new(move |event| sender.send(event).is_ok())).unwrap();
        Self { address, token: digits, display: Some(display), events }
    }

    /// Sends a request: the first line, more lines of the head, and a body.
    fn raw(&self, first: &str, lines: &[&str], body: &str) -> Answer {
        let mut stream = self.open(first, lines, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn open(&self, first: &str, lines: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut head = format!("{first} HTTP/1.1\r\nConnection: close\r\n");
        for line in lines {
            head += &format!("{line}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        stream
    }

    fn host(&self) -> String {
        format!("Host: {}", self.address)
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    fn get(&self, path: &str) -> Answer {
        self.raw(&format!("GET {path}"), &[&self.host(), &self.bearer()], "")
    }

    fn post(&self, body: &str) -> Answer {
        let origin = format!("Origin: http://{}", self.address);
        let json = "Content-Type: application/json";
        self.raw("POST /input", &[&self.host(), &self.bearer(), &origin, json], body)
    }

    fn show(&self, state: &str, portraits: Vec<(u64, Arc<Inspected>)>) {
        self.display.as_ref().unwrap().show(Shown { state: state.to_owned(), portraits });
    }

    /// Opens the stream of states; lines of it.
    fn stream(&self) -> impl Iterator<Item = String> + use<> {
        let stream = self.open("GET /events", &[&self.host(), &self.bearer()], "");
        BufReader::new(stream).lines().map_while(Result::ok)
    }
}

fn card_with_portrait() -> Arc<Inspected> {
    Arc::new(Inspected {
        wanting: Vec::new(),
        verdict: Verdict::Genuine,
        checks: Vec::new(),
        holder: Holder::default(),
        portrait: Some(RgbImage::from_pixel(3, 4, Rgb([200, 10, 10]))),
        timing: Timing::default(),
    })
}

#[test]
fn every_answer_is_sealed() {
    let page = Page::new();
    let host = page.host();
    let answers = [
        page.get("/"),
        page.get("/page.js"),
        page.get("/nothing"),
        page.raw("GET /events", &[&host], ""),
        page.raw("GET /", &["Host: evil.example"], ""),
        page.raw("POST /input", &[&host], "{}"),
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{}", answer.head);
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.head);
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert!(answer.header("set-cookie").is_none());
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}

#[test]
fn serves_the_files_of_the_page() {
    let page = Page::new();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = page.raw(&format!("GET {path}"), &[&page.host()], "");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
    }
}

#[test]
fn shows_nothing_and_takes_nothing_without_the_token() {
    let page = Page::new();
    page.show("{\"name\":\"secret\"}", vec![(1, card_with_portrait())]);
    let host = page.host();
    let origin = format!("Origin: http://{}", page.address);
    let wrong = format!("Authorization: Bearer {}", "0".repeat(64));
    let twice = page.bearer();
    let bare = format!("Authorization: {}", page.token);
    for authorization in [&[][..], &[&*wrong], &[&*bare], &[&*twice, &*twice]] {
        for first in ["GET /events", "GET /portrait/1", "POST /input"] {
            let mut lines = vec![&*host, &*origin, "Content-Type: application/json"];
            lines.extend(authorization);
            let answer = page.raw(first, &lines, "{\"line\":\"000018\"}");
            assert_eq!(answer.status, 401, "{first}");
            assert!(answer.body.is_empty());
        }
    }
    let in_address = page.raw(&format!("GET /events?token={}", page.token), &[&host], "");
    assert_eq!(in_address.status, 401);
    assert!(page.events.try_recv().is_err());
}

#[test]
fn refuses_names_that_lead_here_by_somebody_elses_doing() {
    let page = Page::new();
    let port = page.address.port();
    let (own, bearer) = (page.host(), page.bearer());
    let evil = format!("Host: evil.example:{port}");
    let other_port = format!("Host: 127.0.0.1:{}", port ^ 1);
    for lines in [&[&*evil][..], &[&*other_port], &[&*own, &*evil], &[&*own, &*own]] {
        let mut lines = lines.to_vec();
        lines.push(&bearer);
        assert_eq!(page.raw("GET /", &lines, "").status, 421, "{lines:?}");
    }
    let absolute = format!("GET http://evil.example:{port}/");
    assert_eq!(page.raw(&absolute, &[&own], "").status, 421);
    assert_eq!(page.raw("GET /", &[&format!("Host: localhost:{port}")], "").status, 200);
}

#[test]
fn takes_input_from_its_own_page_alone() {
    let page = Page::new();
    let (host, bearer) = (page.host(), page.bearer());
    let port = page.address.port();
    let post = |origins: &[String]| {
        let mut lines = vec![&*host, &*bearer, "Content-Type: application/json"];
        lines.extend(origins.iter().map(String::as_str));
        page.raw("POST /input", &lines, "{\"line\":\"000018\"}").status
    };
    let own = format!("Origin: http://127.0.0.1:{port}");
    for foreign in [
        vec![],
        vec!["Origin: http://evil.example".to_owned()],
        vec!["Origin: null".to_owned()],
        vec![format!("Origin: https://127.0.0.1:{port}")],
        vec!["Origin: http://127.0.0.1:1".to_owned()],
        vec![format!("Origin: http://localhost:{port}")],
        vec![own.clone(), own.clone()],
    ] {
        assert_eq!(post(&foreign), 403, "{foreign:?}");
    }
    assert!(page.events.try_recv().is_err());
    assert_eq!(post(&[own]), 204);
    assert!(page.events.try_recv().is_ok());
}

#[test]
fn hands_on_what_its_person_does_in_order() {
    let page = Page::new();
    for body in [
        "{\"line\":\"IDVNM<<\"}",
        "{\"consent\":{\"agreed\":true,\"reader\":\"A\",\"arrival\":7}}",
        "{\"consent\":{\"agreed\":false,\"reader\":\"A\",\"arrival\":7}}",
        "{\"clear\":{}}",
    ] {
        assert_eq!(page.post(body).status, 204, "{body}");
    }
    let events: Vec<Event> = page.events.try_iter().collect();
    let [
        Event::Line(line),
        Event::Consent { agreed: true, card: Some(first) },
        Event::Consent { agreed: false, card: Some(second) },
        Event::Clear,
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(**line, "IDVNM<<");
    assert_eq!((&*first.reader, first.arrival), ("A", 7));
    assert_eq!(first, second);
}

#[test]
fn refuses_input_that_is_none() {
    let page = Page::new();
    for body in
        ["{", "{}", "{\"line\":1}", "{\"finish\":{}}", "[]", "{\"line\":\"1\",\"clear\":{}}"]
    {
        assert_eq!(page.post(body).status, 400, "{body}");
    }
    assert_eq!(page.post(&format!("{{\"line\":\"{}\"}}", "1".repeat(40_000))).status, 413);
    let origin = format!("Origin: http://{}", page.address);
    let plain = ["Content-Type: text/plain", &page.host(), &page.bearer(), &origin];
    assert_eq!(page.raw("POST /input", &plain, "{\"clear\":{}}").status, 415);
    assert_eq!(page.get("/input").status, 405);
    assert!(page.events.try_recv().is_err());
}

#[test]
fn says_when_nobody_takes_input_any_more() {
    let mut page = Page::new();
    page.events = channel().1;
    assert_eq!(page.post("{\"clear\":{}}").status, 503);
}

#[test]
fn streams_the_state_now_and_whenever_it_changes() {
    let page = Page::new();
    page.show("{\"n\":1}", Vec::new());
    let mut lines = page.stream();
    let mut state = || lines.find_map(|l| l.strip_prefix("data: ").map(ToOwned::to_owned));
    assert_eq!(state().as_deref(), Some("{\"n\":1}"));
    page.show("{\"n\":2}", Vec::new());
    assert_eq!(state().as_deref(), Some("{\"n\":2}"));
    // Who comes later sees what is shown now.
    let now = page.stream().find(|line| line.starts_with("data: "));
    assert_eq!(now.as_deref(), Some("data: {\"n\":2}"));
}

#[test]
fn a_stream_is_one_and_says_that_it_still_stands() {
    let page = Page::new();
    let lines: Vec<String> = page.stream().take_while(|line| line != ": here").collect();
    assert!(lines.iter().any(|line| line == "content-type: text/event-stream"), "{lines:?}");
    assert!(lines.iter().any(|line| line == "event: state"));
}

#[test]
fn a_stream_ends_with_the_checkpoint() {
    let mut page = Page::new();
    let lines = page.stream();
    page.display = None;
    assert!(lines.count() < 100);
    assert!(TcpStream::connect(page.address).is_err());
}

#[test]
fn a_portrait_goes_with_the_state_that_named_it() {
    let page = Page::new();
    let card = card_with_portrait();
    page.show("{}", vec![(7, card.clone())]);
    let answer = page.get("/portrait/7");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    let picture = image::load_from_memory(&answer.body).unwrap().to_rgb8();
    assert_eq!(Some(&picture), card.portrait.as_ref());
    assert_eq!(page.get("/portrait/6").status, 404);
    assert_eq!(page.get("/portrait/x").status, 400);
    page.show("{}", Vec::new());
    assert_eq!(page.get("/portrait/7").status, 404);
    // Nobody but the test holds it any more.
    assert_eq!(Arc::strong_count(&card), 1);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let page = Page::new();
    let token = Token::from_bytes(&[7; Token::LENGTH]);
    let error = Server::bind(page.address, token, String::new()).unwrap_err();
    assert_eq!(error.code(), "web_listen");
    assert!(error.to_string().starts_with(&page.address.to_string()), "{error}");
}

/// An hour: long enough that nothing in a test ends by it.
const LONG: Duration = Duration::from_secs(3_600);

/// Whether the server has closed a connection on which it was asked nothing.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.peek(&mut [0]) {
        Ok(0) => true,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn idle_connections_keep_nobody_out() {
    let page = Page::with(Limits { head: LONG, ..Limits::default() });
    let idle: Vec<TcpStream> = (0..70).map(|_| TcpStream::connect(page.address).unwrap()).collect();
    assert_eq!(page.get("/").status, 200);
    assert!(is_closed(&idle[0]), "the oldest gave way");
    assert!(!is_closed(&idle[69]), "the newest did not");
}

#[test]
fn a_page_that_shows_the_checkpoint_does_not_give_way() {
    let page = Page::with(Limits { connections: 4, head: LONG });
    page.show("{\"n\":1}", Vec::new());
    let mut lines = page.stream();
    let mut state = || lines.find_map(|l| l.strip_prefix("data: ").map(ToOwned::to_owned));
    assert_eq!(state().as_deref(), Some("{\"n\":1}"));
    let _idle: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(page.address).unwrap()).collect();
    assert_eq!(page.get("/").status, 200);
    page.show("{\"n\":2}", Vec::new());
    assert_eq!(state().as_deref(), Some("{\"n\":2}"));
}

#[test]
fn where_all_connections_are_at_work_a_further_one_waits_for_a_place() {
    let page = Page::with(Limits { connections: 2, head: LONG });
    page.show("{}", Vec::new());
    let streams = [page.stream(), page.stream()].map(|mut lines| {
        assert!(lines.any(|line| line == "data: {}"));
        lines
    });
    let mut waiting = page.open("GET /", &[&page.host()], "");
    assert!(!is_closed(&waiting));
    drop(streams);
    waiting.set_nonblocking(false).unwrap();
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_head_that_does_not_end_or_is_too_long_is_given_up() {
    let page = Page::with(Limits { head: Duration::from_millis(50), ..Limits::default() });
    let mut slow = TcpStream::connect(page.address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: 127").unwrap();
    let mut answer = Vec::new();
    // Whether it is told why depends on how far it got; that the connection ends does not.
    let _ = slow.read_to_end(&mut answer);
    let page = Page::with(Limits { head: LONG, ..Limits::default() });
    let long = format!("X: {}", "x".repeat(20_000));
    let mut stream = page.open("GET /", &[&page.host(), &long], "");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(page.get("/").status, 200);
}
