//! Events and charts: accepted, shown, edited within what was promised, blocked and put back on sale.

use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::{Client, Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_of_a_hundred_thousand_seats_is_accepted_and_sells() {
    let holdfast = Holdfast::start().await;
    let organiser = holdfast.organiser();
    let rows: Vec<_> =
        (1..=50).map(|row| json!({ "name": row, "seats": 50, "aisles_after": [25] })).collect();
    let sections: Vec<_> =
        (1..=40).map(|block| json!({ "key": format!("b{block}"), "category": "a", "rows": rows })).collect();
    let event = organiser
        .post(
            "/v1/admin/events",
            json!({
                "title": "Stadium", "starts_at": "2031-01-01T20:00:00Z", "currency": "EUR",
                "categories": [{ "key": "a", "price": 100 }], "sections": sections,
            }),
        )
        .await
        .expect(201);
    assert_eq!((event["seats"].as_i64(), event["currency"].as_str()), (Some(100_000), Some("eur")));
    let path = format!("/v1/events/{}", id(&event));
    let status = organiser.get(&format!("{path}/status")).await.expect(200);
    assert_eq!((status["total"].as_i64(), status["available"].as_i64()), (Some(100_000), Some(100_000)));

    let ada = holdfast.customer().await;
    let wish = json!({ "best": { "quantity": 8, "section": "b40" } });
    let hold = ada.post(&format!("{path}/holds"), wish).await.expect(201);
    let seats: Vec<_> =
        hold["seats"].as_array().expect("seats").iter().map(|seat| seat["id"].clone()).collect();
    assert_eq!(seats[0], "b40-1-1");
    assert_eq!(seats[7], "b40-1-8");
    let chart = organiser.get(&format!("{path}/seats")).await;
    let tag = chart.header("etag").expect("an etag").to_owned();
    let count: usize = chart.body["sections"]
        .as_array()
        .expect("sections")
        .iter()
        .flat_map(|section| section["rows"].as_array().expect("rows"))
        .map(|row| row["seats"].as_array().expect("seats").len())
        .sum();
    assert_eq!(count, 100_000);
    let request =
        organiser.request(reqwest::Method::GET, &format!("{path}/seats")).header("If-None-Match", tag);
    assert_eq!(organiser.send(request).await.status, 304, "a chart never changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_full_form_is_shown_as_it_was_given_and_laid_out() {
    let holdfast = Holdfast::start().await;
    let organiser = holdfast.organiser();
    let event = organiser
        .post(
            "/v1/admin/events",
            json!({
                "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-01-01T20:00:00+01:00",
                "currency": "eur", "max_per_customer": 4,
                "categories": [{ "key": "gold", "name": "Gold", "price": 5000 }, { "key": "pit", "price": 1500 }],
                "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold", "rows": [
                    { "name": "A", "seats": ["1", { "name": "2", "accessible": true }, { "aisle": true }, 3] },
                    { "name": "B", "seats": [{ "name": "1", "x": 10.0, "y": 20.0, "category": "pit" }] } ] }],
                "areas": [{ "key": "floor", "name": "Floor", "category": "pit", "capacity": 3 }],
            }),
        )
        .await
        .expect(201);
    let path = format!("/v1/events/{}", id(&event));
    let shown = organiser.get(&path).await.expect(200);
    assert_eq!(shown["starts_at"], "2031-01-01T19:00:00Z");
    assert_eq!(shown["status"], "on_sale");
    assert_eq!(shown["areas"][0]["capacity"], 3);

    let chart = organiser.get(&format!("{path}/seats")).await.expect(200);
    let rows = &chart["sections"][0]["rows"];
    let ids: Vec<_> = rows[0]["seats"].as_array().expect("seats").iter().map(|seat| &seat["id"]).collect();
    assert_eq!(ids, ["stalls-A-1", "stalls-A-2", "stalls-A-3"]);
    assert_eq!(rows[0]["seats"][1]["accessible"], true);
    assert_eq!(
        (rows[1]["seats"][0]["x"].as_f64(), rows[1]["seats"][0]["y"].as_f64()),
        (Some(10.0), Some(20.0))
    );
    let x = |seat: usize| rows[0]["seats"][seat]["x"].as_f64().expect("laid out");
    assert!(x(1) - x(0) < x(2) - x(1), "an aisle is a gap");

    // Across the aisle nobody is a neighbour: seat 3 alone strands nobody.
    let ada = holdfast.customer().await;
    let wish = json!({ "seats": ["stalls-A-3", "stalls-B-1"], "areas": { "floor": 2 } });
    let hold = ada.post(&format!("{path}/holds"), wish).await.expect(201);
    assert_eq!(hold["amount"], 5000 + 3 * 1500);
    assert_eq!(hold["seats"].as_array().map(Vec::len), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_places_of_a_standing_event_are_any() {
    let holdfast = Holdfast::start().await;
    let event = holdfast
        .event(
            json!({ "title": "Club", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 5, "price": 900 }),
        )
        .await;
    let ada = holdfast.customer().await;
    let hold = ada.holds(event, json!({ "best": { "quantity": 3 } })).await.expect(201);
    assert_eq!(hold["amount"], 2700);
    let named = json!({ "best": { "quantity": 2, "section": "general", "category": "general" } });
    ada.holds(event, named).await.expect(201);
    let answer = ada.holds(event, json!({ "best": { "quantity": 1 } })).await;
    assert_eq!((answer.status, answer.code()), (409, "sold_out"));
    assert_eq!(answer.body["waitlist_open"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_acts_on_own_events_only() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let other = holdfast.another_organiser().await;
    let path = format!("/v1/admin/events/{event}");
    assert_eq!(other.patch(&path, json!({ "title": "Mine" })).await.status, 404);
    assert_eq!(other.get(&format!("{path}/orders")).await.status, 404);
    assert_eq!(other.get(&format!("{path}/report")).await.status, 404);
    let block = json!({ "seats": ["stalls-A-1"], "reason": "mine" });
    assert_eq!(other.post(&format!("{path}/seats/block"), block).await.status, 404);
    holdfast.admin().await.patch(&path, json!({ "title": "Everybody's" })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_edited_hold_at_once_and_the_chart_cannot_be() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (organiser, ada) = (holdfast.organiser(), holdfast.customer().await);
    let path = format!("/v1/admin/events/{event}");
    let edited =
        organiser.patch(&path, json!({ "title": "New title", "max_per_customer": 1 })).await.expect(200);
    assert_eq!((edited["title"].as_str(), edited["max_per_customer"].as_i64()), (Some("New title"), Some(1)));
    assert_eq!(ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.code(), "limit_exceeded");
    organiser.patch(&path, json!({ "max_per_customer": null })).await.expect(200);
    ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    organiser.patch(&path, json!({ "sale_ends_at": "2020-01-01T00:00:00Z" })).await.expect(200);
    assert_eq!(ada.holds_seats(event, &["stalls-B-1"]).await.code(), "sale_closed");
    let answer = organiser.patch(&path, json!({ "sections": [] })).await;
    assert_eq!((answer.status, answer.code()), (422, "invalid_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_seats_are_nobodys_until_they_are_put_back() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (organiser, ada) = (holdfast.organiser(), holdfast.customer().await);
    let path = format!("/v1/admin/events/{event}/seats");
    let two = json!({ "seats": ["stalls-A-1", "stalls-A-2"], "reason": "technical desk" });
    organiser.post(&format!("{path}/block"), two.clone()).await.expect(200);
    organiser.post(&format!("{path}/block"), two.clone()).await.expect(200);
    assert_eq!(ada.state_of(event, "stalls-A-1").await, "blocked");
    let refused = ada.holds_seats(event, &["stalls-A-1"]).await;
    assert_eq!(refused.body["seats"], json!([{ "id": "stalls-A-1", "reason": "blocked" }]));
    let status = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!((status["blocked"].as_i64(), status["sold"].as_i64()), (Some(2), Some(0)));

    // A block survives the loss of Redis, and a held seat is not taken from its holder.
    holdfast.flush_redis().await;
    eventually("the event is open again", async || {
        (ada.holds_seats(event, &["stalls-B-1", "stalls-B-2"]).await.status == 201).then_some(())
    })
    .await;
    assert_eq!(ada.state_of(event, "stalls-A-2").await, "blocked");
    let held = json!({ "seats": ["stalls-B-3", "stalls-B-1"], "reason": "late idea" });
    let answer = organiser.post(&format!("{path}/block"), held).await;
    assert_eq!(
        (answer.status, &answer.body["seats"]),
        (409, &json!([{ "id": "stalls-B-1", "reason": "held" }]))
    );
    assert_eq!(ada.state_of(event, "stalls-B-3").await, "free", "all or nothing");

    organiser
        .post(&format!("{path}/unblock"), json!({ "seats": ["stalls-A-1", "stalls-A-2"] }))
        .await
        .expect(200);
    ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_adds_up() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let gone = holdfast.sold(&ada, event, &["stalls-B-1"]).await;
    ada.cancels(&gone).await.expect(200);
    ada.sees(&gone, "refunded").await;

    let organiser = holdfast.organiser();
    let report = organiser.get(&format!("/v1/admin/events/{event}/report")).await.expect(200);
    assert_eq!((report["revenue"].as_i64(), report["refunded"].as_i64()), (Some(9600), Some(4800)));
    assert_eq!(report["categories"], json!([{ "category": "gold", "sold": 2, "revenue": 9600 }]));
    let orders = organiser.get(&format!("/v1/admin/events/{event}/orders")).await.expect(200);
    let states: Vec<&Value> =
        orders["items"].as_array().expect("orders").iter().map(|order| &order["status"]).collect();
    assert_eq!(states, ["refunded", "confirmed"], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_stream_tells_every_change_and_resumes_without_a_gap() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let path = format!("/v1/events/{event}/live");
    let anyone = holdfast.anyone();

    let mut stream = Stream::open(&anyone, &path, None).await;
    let (kind, first, data) = stream.next().await;
    assert_eq!(kind, "snapshot");
    assert_eq!(data["taken"], json!({}));
    ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    let (kind, _, data) = stream.next().await;
    assert_eq!(kind, "change");
    assert_eq!(
        data["changes"],
        json!([{ "id": "stalls-A-1", "state": "held" }, { "id": "stalls-A-2", "state": "held" }])
    );
    drop(stream);

    ada.holds_seats(event, &["stalls-B-1"]).await.expect(201);
    let mut resumed = Stream::open(&anyone, &path, Some(&first)).await;
    let mut missed = Vec::new();
    while missed.len() < 3 {
        let (kind, _, data) = resumed.next().await;
        assert_eq!(kind, "change");
        missed.extend(data["changes"].as_array().expect("changes").clone());
    }
    let missed: Vec<_> = missed.iter().map(|change| &change["id"]).collect();
    assert_eq!(missed, ["stalls-A-1", "stalls-A-2", "stalls-B-1"]);

    let mut stranger = Stream::open(&anyone, &path, Some("999-1-1")).await;
    assert_eq!(stranger.next().await.0, "snapshot", "another epoch gets a fresh start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_follows_is_told_the_same_whoever_came_when() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, anyone) = (holdfast.customer().await, holdfast.anyone());
    let path = format!("/v1/events/{event}/live");
    let mut crowd = Vec::new();
    // More than are told at a stretch, on each of the node's lanes; some come in the middle of a change.
    for number in 1..=5 {
        let wish = json!({ "seats": [format!("stalls-A-{number}")] });
        let come = async {
            let mut come = Vec::new();
            for _ in 0..500 {
                come.push(Stream::open(&anyone, &path, None).await);
            }
            come
        };
        let (held, come) = tokio::join!(ada.holds(event, wish), come);
        held.expect(201);
        crowd.extend(come);
    }
    for (number, stream) in crowd.iter_mut().enumerate() {
        let mut taken = std::collections::BTreeSet::new();
        while taken.len() < 5 {
            let (_, _, data) = stream.next().await;
            let shown = data["taken"].as_object().into_iter().flat_map(|taken| taken.keys().cloned());
            let changed = data["changes"].as_array().into_iter().flatten();
            taken.extend(shown.chain(changed.map(|change| change["id"].as_str().expect("an id").to_owned())));
        }
        assert!(taken.iter().all(|seat| seat.starts_with("stalls-A-")), "{number} sees {taken:?}");
    }
}

/// A reader of server-sent events.
struct Stream {
    response: reqwest::Response,
    buffer: String,
}

impl Stream {
    async fn open(anyone: &Client, path: &str, last: Option<&str>) -> Self {
        let mut request = anyone.request(reqwest::Method::GET, path);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        Self { response, buffer: String::new() }
    }

    /// The next event: its kind, its id and its data. Comments that keep the line open are passed over.
    async fn next(&mut self) -> (String, String, Value) {
        let read = async {
            loop {
                while let Some(end) = self.buffer.find("\n\n") {
                    let block: String = self.buffer.drain(..end + 2).collect();
                    let field = |name: &str| {
                        let prefix = format!("{name}:");
                        let line = block.lines().find_map(|line| line.strip_prefix(&prefix));
                        line.unwrap_or_default().trim().to_owned()
                    };
                    if !field("data").is_empty() {
                        let data = serde_json::from_str(&field("data")).expect("JSON");
                        return (field("event"), field("id"), data);
                    }
                }
                let chunk = self.response.chunk().await.expect("more").expect("the stream goes on");
                self.buffer.push_str(std::str::from_utf8(&chunk).expect("text"));
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), read).await.expect("an event in time")
    }
}
