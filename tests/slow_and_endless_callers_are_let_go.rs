//! Whoever keeps a connection and says nothing, speaks letter by letter, never ends or never listens is let go, and nobody
//! else waits for it. All of it on bare sockets: a client of HTTP would be too polite.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Client, Holdfast, PATIENCE, eventually};

/// A house that has little patience.
async fn hurried(connections: u32) -> Holdfast {
    Holdfast::with(|config| {
        config.connections = connections;
        config.connection_seconds = 1;
    })
    .await
}

async fn caller(holdfast: &Holdfast) -> TcpStream {
    TcpStream::connect(holdfast.config().listen_addr).await.expect("a connection")
}

/// Everything that still comes until the other side hangs up; fails when it does not.
async fn until_the_end(line: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // Whether it ends or is torn makes no difference: it is over.
    let _ = timeout(PATIENCE, line.read_to_end(&mut heard)).await.expect("nobody hung up");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The head of an answer.
async fn status(line: &mut TcpStream) -> u16 {
    let mut heard = vec![0; 4096];
    let some = timeout(PATIENCE, line.read(&mut heard)).await.expect("an answer in time").expect("an answer");
    let text = String::from_utf8_lossy(&heard[..some]).into_owned();
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {text:?}"))
}

async fn is_served(somebody: &Client) {
    let asked = Instant::now();
    somebody.get("/v1/events").await.expect(200);
    // Far more than it takes, and far less than anybody below goes on for.
    assert!(asked.elapsed() < Duration::from_secs(10), "served only after {:?}", asked.elapsed());
}

fn head(method: &str, path: &str, more: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: holdfast\r\ncontent-type: application/json\r\n{more}\r\n")
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_ends_the_connection() {
    let holdfast = hurried(1000).await;
    let mut line = caller(&holdfast).await;
    line.write_all(b"GET /v1/events HTTP/1.1\r\nhost: holdfast\r\n").await.expect("written");
    let begun = Instant::now();
    // A header every tenth of a second, for ever.
    let torn = eventually("the other side hangs up", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        line.write_all(b"x-more: 1\r\n").await.err()
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "without any patience: {torn}");
    is_served(&holdfast.anyone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_nothing_is_asked_ends() {
    let holdfast = hurried(1000).await;
    let mut silent = caller(&holdfast).await;
    assert_eq!(until_the_end(&mut silent).await, "");
    // As well as one on which something was asked once.
    let mut once = caller(&holdfast).await;
    once.write_all(&head("GET", "/healthz", "")).await.expect("written");
    assert!(until_the_end(&mut once).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_by_those_who_are_in_and_say_nothing() {
    let holdfast = hurried(40).await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(caller(&holdfast).await);
    }
    eventually("every connection is taken", async || {
        (holdfast.app().metrics.connections.get() == 40).then_some(())
    })
    .await;
    // Whoever comes last waits for those before to be let go, ten times forty of them, and is served.
    drop(silent.split_off(100));
    let answer = timeout(PATIENCE, holdfast.anyone().get("/v1/events")).await.expect("served at last");
    assert_eq!(answer.status, 200);
    for mut line in silent {
        until_the_end(&mut line).await;
    }
    assert!(holdfast.app().metrics.connections.get() <= 40, "never more than there may be");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_is_given_up() {
    let holdfast = hurried(1000).await;
    let event = holdfast
        .event(json!({
            "title": "A stadium", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false,
            "categories": [{ "key": "a", "price": 4800 }],
            "sections": [{ "key": "s", "category": "a",
                "rows": (0..60).map(|row| json!({ "name": format!("r{row}"), "seats": 400 })).collect::<Vec<_>>() }],
        }))
        .await;
    let before = holdfast.app().metrics.connections.get();
    let mut deaf = caller(&holdfast).await;
    // Some megabytes each and unpacked, far more of them than the system keeps for somebody who does not listen.
    let asked = head("GET", &format!("/v1/events/{event}/seats"), "accept-encoding: identity\r\n").repeat(60);
    deaf.write_all(&asked).await.expect("written");
    eventually("it is taken", async || (holdfast.app().metrics.connections.get() > before).then_some(()))
        .await;
    eventually("it is let go", async || (holdfast.app().metrics.connections.get() <= before).then_some(()))
        .await;
    let heard = until_the_end(&mut deaf).await;
    assert!(heard.starts_with("HTTP/1.1 200"), "it was an answer: {heard:.100}");
    assert!(heard.matches("HTTP/1.1 200").count() < 60, "all was kept for somebody who did not take it");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_a_sale_and_listens_is_not_let_go() {
    let holdfast = hurried(1000).await;
    let event = holdfast.theatre().await;
    let mut line = caller(&holdfast).await;
    line.write_all(&head("GET", &format!("/v1/events/{event}/live"), "")).await.expect("written");
    let mut heard = String::new();
    let ada = holdfast.customer().await;
    let mut seat = 0;
    let begun = Instant::now();
    // Three times as long as a connection may be silent.
    while begun.elapsed() < Duration::from_secs(3) {
        seat += 1;
        ada.holds_seats(event, &[&format!("stalls-A-{}", 1 + seat % 8)]).await;
        let mut some = vec![0; 65536];
        if let Ok(read) = timeout(Duration::from_millis(300), line.read(&mut some)).await {
            let read = read.expect("it is not torn");
            assert!(read > 0, "let go while listening: {heard}");
            heard.push_str(&String::from_utf8_lossy(&some[..read]));
        }
    }
    assert!(heard.contains("event: snapshot") && heard.contains("event: change"), "{heard}");
}

/// What a stream has told when these words have come.
async fn told(line: &mut TcpStream, words: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(words) {
        let mut some = vec![0; 65536];
        let read = timeout(PATIENCE, line.read(&mut some)).await.expect("told in time").expect("not torn");
        assert!(read > 0, "let go while listening: {heard}");
        heard.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    heard
}

/// A body out of its pieces; fails where their sizes are not what they say.
fn whole(mut pieces: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = pieces.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        body.push_str(&rest[..size]);
        pieces = rest[size..].strip_prefix("\r\n").expect("the end of a piece");
    }
    assert_eq!(pieces, "", "nothing is between the pieces");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_a_sale_is_told_in_pieces_or_as_it_is_and_is_done_with_when_they_go() {
    let holdfast = Holdfast::start().await;
    let node = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let live = format!("/v1/events/{event}/live");
    let ada = holdfast.customer().await;
    let open = async || {
        let metrics = Client::new(&node.url, None).get_text("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("holdfast_connections "));
        line.expect("they are counted").parse::<i64>().expect("a number")
    };
    let call = async || {
        let address = node.url.strip_prefix("http://").expect("an address");
        TcpStream::connect(address).await.expect("a connection")
    };
    let before = open().await;

    // Of the newest HTTP that we speak, with another request in the same breath, which nobody answers in the middle of it.
    let mut new = call().await;
    new.write_all(&[head("GET", &live, ""), head("GET", "/healthz", "")].concat()).await.expect("written");
    // Of the oldest, which takes a body as it comes.
    let mut old = call().await;
    old.write_all(format!("GET {live} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("written");
    let first = [told(&mut new, "}\n\n\r\n").await, told(&mut old, "}\n\n").await];
    ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    let then = [told(&mut new, "}\n\n\r\n").await, told(&mut old, "}\n\n").await];

    let (in_pieces, body) = first[0].split_once("\r\n\r\n").expect("a head");
    assert!(in_pieces.contains("transfer-encoding: chunked"), "{in_pieces}");
    let (as_it_is, plain) = first[1].split_once("\r\n\r\n").expect("a head");
    assert!(as_it_is.starts_with("HTTP/1.0 200") && !as_it_is.contains("chunked"), "{as_it_is}");
    assert_eq!(whole(body), plain, "both are told the same");
    assert!(plain.starts_with("retry: ") && plain.contains("event: snapshot"), "{plain}");
    assert_eq!(whole(&then[0]), then[1]);
    assert!(then[1].starts_with("event: change") && then[1].contains("stalls-A-1"), "{then:?}");

    // Whoever wants to know no more than whether there is a stream can go on asking.
    let mut curious = call().await;
    curious.write_all(&head("HEAD", &live, "")).await.expect("written");
    assert_eq!(status(&mut curious).await, 200);
    curious.write_all(&head("GET", "/healthz", "")).await.expect("written");
    assert_eq!(status(&mut curious).await, 200);

    let mut fleeting = call().await;
    fleeting.write_all(&head("GET", &live, "")).await.expect("written");
    told(&mut fleeting, "event: snapshot").await;
    drop((fleeting, curious, old));
    eventually("nothing is kept for who has gone", async || (open().await <= before + 1).then_some(())).await;

    // A node that goes ends its streams as bodies end.
    let closed = tokio::spawn(node.close());
    let end = until_the_end(&mut new).await;
    assert!(end.ends_with("0\r\n\r\n"), "{end:?}");
    closed.await.expect("it has gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_refused_when_it_is_too_large_or_too_late() {
    let holdfast = Holdfast::start().await;
    let ada = holdfast.customer().await;
    let token = format!("authorization: Bearer {}\r\n", ada.token());

    let endless = async {
        let mut line = caller(&holdfast).await;
        let more = format!("{token}transfer-encoding: chunked\r\n");
        line.write_all(&head("POST", "/v1/orders", &more)).await.expect("written");
        let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
        // Far beyond what is read of it; at some point the other side listens no more.
        for _ in 0..2000 {
            if line.write_all(&chunk).await.is_err() {
                break;
            }
        }
        let heard = until_the_end(&mut line).await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 413"), "{heard}");
    };
    let announced = async {
        let mut line = caller(&holdfast).await;
        let more = format!("{token}content-length: 99999999999\r\n");
        line.write_all(&head("POST", "/v1/orders", &more)).await.expect("written");
        line.write_all(&vec![b' '; 3 << 20]).await.ok();
        let heard = until_the_end(&mut line).await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 413"), "{heard}");
    };
    let trickling = async {
        let mut line = caller(&holdfast).await;
        let more = format!("{token}content-length: 1000\r\n");
        line.write_all(&head("POST", "/v1/orders", &more)).await.expect("written");
        let (mut ear, mut mouth) = line.split();
        let speak = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if mouth.write_all(b" ").await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut heard = vec![0; 1000];
        let some = tokio::select! {
            some = timeout(PATIENCE, ear.read(&mut heard)) => some.expect("nobody hung up").expect("an answer"),
            () = speak => 0,
        };
        let heard = String::from_utf8_lossy(&heard[..some]).into_owned();
        assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    };
    let everybody_else = async {
        for _ in 0..20 {
            is_served(&ada).await;
        }
    };
    tokio::join!(endless, announced, trickling, everybody_else);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_body_is_never_unpacked() {
    let holdfast = Holdfast::start().await;
    let organiser = holdfast.organiser();
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..200 {
        packer.write_all(&vec![b' '; 1 << 20]).expect("packed");
    }
    let bomb = packer.finish().expect("packed");
    assert!(bomb.len() < 300_000, "two hundred megabytes in {} bytes", bomb.len());
    for path in ["/v1/orders", "/v1/admin/events"] {
        let request = organiser.request(reqwest::Method::POST, path);
        let request = request.header("content-type", "application/json").header("content-encoding", "gzip");
        let answer = organiser.send(request.body(bomb.clone())).await;
        assert_eq!((answer.status, answer.code()), (400, "malformed_json"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_read_in_two_ways_is_not_read() {
    let holdfast = Holdfast::start().await;
    let many = "x-again: 1\r\n".repeat(500);
    let long = format!("x-long: {}\r\n", "y".repeat(1 << 20));
    for (why, more) in [
        ("two lengths", "content-length: 2\r\ncontent-length: 40\r\n"),
        ("a length that is none", "content-length: +2\r\n"),
        ("a coding that is none", "transfer-encoding: chunked, identity\r\n"),
        ("a name with a space", "content-length : 2\r\n"),
        ("a value with a NUL", "x: a\0b\r\n"),
        ("too many headers", many.as_str()),
        ("a header without end", long.as_str()),
    ] {
        let mut line = caller(&holdfast).await;
        // It may hang up before it has heard all of it.
        let _ = line.write_all(&head("POST", "/v1/auth/login", more)).await;
        let _ = line.write_all(b"{}GET /v1/events HTTP/1.1\r\nhost: smuggled\r\n\r\n").await;
        let heard = until_the_end(&mut line).await;
        let refused =
            ["HTTP/1.1 400", "HTTP/1.1 431", "HTTP/1.1 501"].iter().any(|refusal| heard.starts_with(refusal));
        assert!(refused || heard.is_empty(), "{why}: {heard}");
        assert_eq!(heard.matches("HTTP/1.1 ").count(), usize::from(refused), "{why}: {heard}");
    }
    let mut line = caller(&holdfast).await;
    line.write_all(&head("GET", "/healthz", "")).await.expect("written");
    assert_eq!(status(&mut line).await, 200);
}
