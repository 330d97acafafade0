//! Nodes whose clocks are wrong, or step back: deadlines are the stores' own, and people are told the time that is left.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::stand::{Database, House, Memory, NodeSettings, Person, Topology, eventually};

/// A node of these settings believes what the library tells it of the time.
fn deceived(settings: NodeSettings) -> NodeSettings {
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
    .expect("script/setup tests installs faketime");
    settings.with("LD_PRELOAD", library).with("FAKETIME_DONT_FAKE_MONOTONIC", 1)
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}

fn moment(text: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(text.as_str().expect("a moment"), &Rfc3339).expect("a moment")
}

/// The time that is left, as whoever reads this answer counts it.
fn left(answer: &Value, until: &str) -> f64 {
    (moment(&answer[until]) - moment(&answer["server_time"])).as_seconds_f64()
}

async fn asks(person: &Person, path: &str, body: Value) -> Value {
    let key = Uuid::now_v7();
    eventually("an answer that stays", async || {
        let answer =
            person.asks("POST", path, Some(&body), key).await.filter(|answer| !answer.is_passing())?;
        assert_eq!(answer.status, 201, "{}", answer.body);
        Some(answer.body)
    })
    .await
}

/// The node's own clock, by which it signs tokens: what it says of a hold and of an order is by the stores' clocks.
async fn clock_of(person: &Person) -> OffsetDateTime {
    let address = format!("{}@example.com", Uuid::now_v7().simple());
    let form = json!({ "name": "Ada", "email": address, "password": "four-quiet-words" });
    let signed_in = asks(person, "/v1/auth/register", form).await;
    let token = signed_in["access_token"].as_str().expect("a token");
    let claims = token.split('.').nth(1).expect("three parts");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    OffsetDateTime::from_unix_timestamp(claims["iat"].as_i64().expect("a moment")).expect("a moment")
}

async fn becomes(person: &Person, order: &Value, end: &str) {
    let path = format!("/v1/orders/{}", id(order));
    eventually(&format!("the order is {end}"), async || {
        let now = person.insists("GET", &path, None).await;
        (now.body["status"] == end).then_some(())
    })
    .await;
}

async fn nothing_is_lost(house: &House, database: &Database, memory: &Memory) {
    eventually("every promise holds", async || {
        house.audit(database, memory, 1).await.status.success().then_some(())
    })
    .await;
    assert!(house.homeless_money(&house.pg(database)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_wrong_clocks_keep_the_same_deadlines() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let house = House::open("skewed", &database, &memory, 1, |settings| {
        settings.with("HOLD_SECONDS", 10).with("PAYMENT_SECONDS", 5).with("GRACE_SECONDS", 3)
    })
    .await;
    let (mut early, mut late) = (house.node("early"), house.node("late"));
    early.settings = deceived(early.settings.clone()).with("FAKETIME", "-3600s");
    late.settings = deceived(late.settings.clone()).with("FAKETIME", "+3600s");
    early.start().await;
    late.start().await;
    house.is_served_by(&[&early, &late]).await;
    let event = house.theatre(2).await;
    let pg = house.pg(&database);
    let ada = house.customer(&pg).await;
    let path = format!("/v1/events/{}/holds", id(&event));

    let mut orders = Vec::new();
    for number in 1..=4 {
        // The nodes take turns: one holds, the other checks out.
        let hold = asks(&ada, &path, json!({ "seats": [format!("stalls-1-{number}")] })).await;
        assert!((5.0..=10.5).contains(&left(&hold, "expires_at")), "{hold}");
        let order = asks(&ada, "/v1/orders", json!({ "hold_id": hold["id"] })).await;
        assert!((0.0..=10.5).contains(&left(&order, "pay_by")), "what a page counts down: {order}");
        let (by_postgres,): (f64,) = sqlx::query_as(
            "select extract(epoch from pay_by - now())::float8 from orders where id = $1::uuid",
        )
        .bind(id(&order))
        .fetch_one(&pg)
        .await
        .expect("an order");
        assert!((0.0..=10.5).contains(&by_postgres), "{by_postgres}");
        if number % 2 == 0 {
            house.pay(&order, "pm_card_visa").unwrap();
        }
        orders.push(order);
    }
    // Webhooks that are an hour old for one node are news for the other, and Stripe is asked besides.
    for (number, order) in (1..).zip(&orders) {
        becomes(&ada, order, if number % 2 == 0 { "confirmed" } else { "expired" }).await;
    }
    for number in [1, 3] {
        let hold = asks(&ada, &path, json!({ "seats": [format!("stalls-1-{number}")] })).await;
        assert_eq!(hold["status"], "held");
    }
    nothing_is_lost(&house, &database, &memory).await;
    early.stop();
    late.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_makes_no_id_twice() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let house = House::open("steps", &database, &memory, 1, |settings| {
        settings.with("HOLD_SECONDS", 20).with("PAYMENT_SECONDS", 10)
    })
    .await;
    let file = house.folder.path("clock");
    let set = |offset: &str| std::fs::write(&file, format!("{offset}\n")).expect("a file");
    set("+0s");
    let mut node = house.node("only");
    node.settings = deceived(node.settings.clone())
        .with("FAKETIME_TIMESTAMP_FILE", file.display())
        .with("FAKETIME_NO_CACHE", 1);
    node.start().await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let ada = house.customer(&house.pg(&database)).await;
    let path = format!("/v1/events/{}/holds", id(&event));
    let (mut ids, mut clocks) = (BTreeSet::new(), Vec::new());
    for (number, offset) in ["+0s", "-3600s", "-3600s", "+600s", "-60s", "+0s"].into_iter().enumerate() {
        set(offset);
        let hold = asks(&ada, &path, json!({ "seats": [format!("stalls-1-{}", number + 1)] })).await;
        assert!((10.0..=20.5).contains(&left(&hold, "expires_at")), "{hold}");
        clocks.push(clock_of(&ada).await);
        let order = asks(&ada, "/v1/orders", json!({ "hold_id": hold["id"] })).await;
        for made in [&hold, &order] {
            assert!(ids.insert(id(made).to_owned()), "{made}");
        }
        house.pay(&order, "pm_card_visa").unwrap();
        becomes(&ada, &order, "confirmed").await;
        let tickets = ada.insists("GET", &format!("/v1/orders/{}", id(&order)), None).await;
        for ticket in tickets.body["tickets"].as_array().expect("tickets") {
            assert!(ids.insert(id(ticket).to_owned()), "{ticket}");
        }
    }
    assert!(clocks.windows(2).any(|pair| pair[1] < pair[0]), "the clock did step back: {clocks:?}");
    nothing_is_lost(&house, &database, &memory).await;
    node.stop();
}
