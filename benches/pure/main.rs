//! What needs no server: compiling a chart, drawing and packing what readers get of a hall, what those who follow are told, reading
//! the feed, checking an access token. `script/bench pure` runs it; its figures are of this machine at this moment.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use holdfast::accounts::untrusted::Tokens;
use holdfast::accounts::{Caller, Role};
use holdfast::catalog::NewEvent;
use holdfast::catalog::untrusted::Compiled;
use holdfast::http::untrusted as http;
use holdfast::ids::AccountId;
use holdfast::packing::{self, Coding, Effort};
use holdfast::seats::untrusted as seats;
use holdfast::seats::{FeedId, SeatState};
use redis::Value;
use serde_json::json;

const SEATS: u32 = 10_000;
const SECRET: &str = "a secret that is long enough to sign with";

/// A hundred rows of a hundred.
fn a_hall() -> NewEvent {
    let rows: Vec<_> = (0..SEATS / 100).map(|row| json!({ "name": row.to_string(), "seats": 100 })).collect();
    serde_json::from_value(json!({
        "title": "A measured evening", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
        "categories": [{ "key": "all", "name": "All seats", "price": 4800 }],
        "sections": [{ "key": "stalls", "category": "all", "rows": rows }],
    }))
    .expect("a form")
}

fn charts(c: &mut Criterion) {
    let form = a_hall();
    c.bench_function("compile a chart of 10,000 seats", |b| {
        b.iter(|| Compiled::of(black_box(&form)).expect("it is good"));
    });
    let drawn = Bytes::from(Compiled::of(&form).expect("it is good").drawn());
    c.bench_function("draw it", |b| b.iter(|| Compiled::of(&form).expect("it is good").drawn()));
    for (name, coding) in
        [("pack its drawing with gzip", Coding::Gzip), ("pack its drawing with brotli", Coding::Brotli)]
    {
        c.bench_function(name, |b| b.iter(|| packing::pack(black_box(&drawn), coding, Effort::Thorough)));
    }
}

fn snapshots(c: &mut Criterion) {
    let plane = || vec![0; SEATS as usize / 8];
    let mut planes = seats::planes(1, FeedId::default(), SEATS, [plane(), plane(), plane()]);
    for ordinal in (0..SEATS).filter(|ordinal| ordinal % 3 != 0) {
        seats::put(&mut planes, ordinal, if ordinal % 2 == 0 { SeatState::Sold } else { SeatState::Held });
    }
    c.bench_function("a view of 10,000 seats", |b| b.iter(|| seats::view(black_box(&planes))));
    let view = seats::view(&planes);
    let chart = Arc::new(Compiled::of(&a_hall()).expect("it is good").chart());
    let drawn = Bytes::from(http::availability(&chart, &view));
    c.bench_function("what is taken of it, as JSON", |b| {
        b.iter(|| http::availability(black_box(&chart), black_box(&view)));
    });
    c.bench_function("pack that with brotli", |b| {
        b.iter(|| packing::pack(black_box(&drawn), Coding::Brotli, Effort::Brief));
    });
    // What a hundred holds of one seat are to whoever follows.
    let changes: Vec<_> = (0..100).map(|ordinal| (ordinal * 3, SeatState::Held)).collect();
    let told = http::change(&chart, view.version, &changes).expect("it is there at once");
    assert!(told.starts_with(b"event: change\n"), "as it is sent");
    c.bench_function("100 changes as a message", |b| {
        b.iter(|| http::change(black_box(&chart), view.version, black_box(&changes)));
    });
    let bits = Bytes::from([view.taken.as_slice(), view.sold.as_slice()].concat());
    c.bench_function("pack its planes with brotli", |b| {
        b.iter(|| packing::pack(black_box(&bits), Coding::Brotli, Effort::Brief));
    });
}

/// What `XREAD` answers to whoever is a hundred holds of two seats behind.
fn a_hundred_changes() -> Value {
    let text = |text: String| Value::BulkString(text.into_bytes());
    let entry = |number: u32| {
        let fields = vec![text("held".to_owned()), text(format!("{},{}", number * 2, number * 2 + 1))];
        Value::Array(vec![text(format!("1795296000000-{number}")), Value::Array(fields)])
    };
    let entries = (0..100).map(entry).collect();
    Value::Array(vec![Value::Array(vec![text("feed:{event}".to_owned()), Value::Array(entries)])])
}

fn feeds(c: &mut Criterion) {
    let answer = a_hundred_changes();
    assert_eq!(seats::changes(&answer).len(), 100, "they are read");
    c.bench_function("read 100 changes of the feed", |b| b.iter(|| seats::changes(black_box(&answer))));
}

fn tokens(c: &mut Criterion) {
    use secrecy::ExposeSecret as _;
    let tokens = Tokens::new(SECRET.into(), 900);
    let token = tokens.sign(Caller { id: AccountId::new(), role: Role::Customer }).expect("it signs");
    let token = token.expose_secret();
    assert!(tokens.verify(token).is_some(), "it is good");
    // Whoever has not seen a token before has to look at its signature.
    let stranger = || Tokens::new(SECRET.into(), 900);
    c.bench_function("verify an access token", |b| {
        b.iter_batched_ref(stranger, |tokens| tokens.verify(black_box(token)), BatchSize::SmallInput);
    });
    c.bench_function("know an access token again", |b| b.iter(|| tokens.verify(black_box(token))));
}

criterion_group!(pure, charts, snapshots, feeds, tokens);
criterion_main!(pure);
