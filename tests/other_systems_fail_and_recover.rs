//! Other systems are slow, wrong, away or hostile: they are told when they are back, and nobody else notices.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::journeys::id;
use crate::support::receiver::{Receiver, calls_back};
use crate::support::{Client, Holdfast, eventually};

/// Orders that cost nothing, so many of them.
async fn confirms(holdfast: &Holdfast, count: usize) {
    let event = holdfast.small_hall(0, &[60]).await;
    let ada = holdfast.customer().await;
    for number in 0..count {
        ada.orders(event, &[&format!("hall-A-{}", number + 1)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_with_the_same_words_until_it_arrives() {
    let holdfast = Holdfast::that_calls_back().await;
    let receiver = Receiver::start().await;
    let organiser = holdfast.organiser();
    let hook = organiser.listens(&receiver, &["order.confirmed"]).await;
    for (status, said) in [(500, "answered 500"), (404, "answered 404"), (302, "redirects are not followed")]
    {
        receiver.answers(status);
        let before = receiver.came().len();
        confirms(&holdfast, 1).await;
        let waiting = eventually(&format!("it says {said}"), async || {
            let waiting = organiser.deliveries(&hook, "status=waiting").await;
            let error = waiting.first()?["error"].as_str()?.to_owned();
            error.contains(said).then_some(waiting)
        })
        .await;
        assert_eq!(waiting[0]["http_status"], status);
        assert!(waiting[0]["due_at"].is_string());
        receiver.hears("order.confirmed", before + 3).await;
        assert!(organiser.hook(&hook).await["failing_since"].is_string());
        receiver.answers(204);
        eventually("it has arrived", async || {
            organiser.deliveries(&hook, "status=waiting").await.is_empty().then_some(())
        })
        .await;
        let tries = &receiver.came()[before..];
        assert!(tries.iter().all(|one| one.bytes == tries[0].bytes), "each try says the same");
        assert_eq!(organiser.hook(&hook).await["failing_since"], Value::Null);
    }
    let delivered = organiser.deliveries(&hook, "status=delivered").await;
    assert_eq!(delivered.len(), 3);
    assert!(delivered.iter().all(|one| one["attempts"].as_i64() > Some(2) && one["error"].is_null()));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_does_not_answer_holds_up_nobody_else_and_is_not_overrun() {
    let holdfast = Holdfast::with(|config| {
        calls_back(config);
        config.hooks_timeout_seconds = 1;
    })
    .await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.takes(Duration::from_secs(3));
    let organiser = holdfast.organiser();
    let stuck = organiser.listens(&slow, &["order.confirmed"]).await;
    organiser.listens(&quick, &["order.confirmed"]).await;
    let begun = Instant::now();
    confirms(&holdfast, 30).await;
    quick.hears("order.confirmed", 30).await;
    eventually("it says that no answer came", async || {
        let waiting = organiser.deliveries(&stuck, "status=waiting").await;
        waiting.iter().any(|one| one["error"] == "no answer within 1 seconds").then_some(())
    })
    .await;
    // One node has four under way at a time; what it has given up on may still be inside for two seconds more, or longer on a
    // machine that is busy with other tests.
    assert!(slow.most_at_a_time() <= 20, "{} at a time after {:?}", slow.most_at_a_time(), begun.elapsed());
    slow.takes(Duration::ZERO);
    organiser.sees_deliveries(&stuck, "delivered", 30).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_arrives_is_parked_and_a_replay_tries_again() {
    let holdfast = Holdfast::with(|config| {
        calls_back(config);
        config.hooks_retry_seconds = 1;
    })
    .await;
    let receiver = Receiver::start().await;
    receiver.answers(500);
    let organiser = holdfast.organiser();
    let hook = organiser.listens(&receiver, &["order.confirmed"]).await;
    confirms(&holdfast, 2).await;
    let parked = organiser.sees_deliveries(&hook, "parked", 2).await;
    assert_eq!((&parked[0]["due_at"], &parked[0]["error"]), (&Value::Null, &json!("answered 500")));
    receiver.answers(200);
    let event = parked[0]["event"]["id"].clone();
    assert_eq!(organiser.replays(&hook, json!({ "event_id": event })).await.expect(200)["queued"], 1);
    let delivered = organiser.sees_deliveries(&hook, "delivered", 1).await;
    assert_eq!((&delivered[0]["event"]["id"], &delivered[0]["replay"]), (&event, &json!(1)));
    let page = holdfast.anyone().get_text("/metrics").await;
    for line in [
        "holdfast_hook_deliveries_total{label=\"parked\"} 2",
        "holdfast_hook_deliveries_total{label=\"delivered\"} 1",
        "holdfast_hook_queue_depth 0",
        "holdfast_hook_queue_age_seconds 0",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_only_fails_is_disabled_and_goes_on_where_it_was() {
    let holdfast = Holdfast::with(|config| {
        calls_back(config);
        config.hooks_disable_seconds = 3600;
        config.hooks_pause_ms = 100;
    })
    .await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    receiver.answers(500);
    let organiser = holdfast.organiser();
    let hook = organiser.listens(&receiver, &["order.confirmed"]).await;
    organiser.listens(&other, &["order.confirmed"]).await;
    // A long time with few failures is not enough, nor are many failures within a short time.
    confirms(&holdfast, 1).await;
    receiver.hears("order.confirmed", 1).await;
    holdfast.fails_for_two_hours(&hook).await;
    receiver.hears("order.confirmed", 4).await;
    assert_eq!(organiser.hook(&hook).await["status"], "enabled");
    sqlx::query("update hooks set failing_since = now() where failures > 0")
        .execute(&holdfast.app().pg)
        .await
        .expect("anew");
    confirms(&holdfast, 7).await;
    receiver.hears("order.confirmed", 24).await;
    assert_eq!(organiser.hook(&hook).await["status"], "enabled");
    holdfast.fails_for_two_hours(&hook).await;
    let disabled = eventually("it is disabled", async || {
        let now = organiser.hook(&hook).await;
        (now["status"] == "disabled").then_some(now)
    })
    .await;
    let reason = disabled["reason"].as_str().expect("why");
    assert!(reason.contains("every delivery failed") && reason.contains("answered 500"), "{reason}");
    assert_eq!(organiser.deliveries(&hook, "status=parked").await.len(), 0, "what is owed stays owed");
    let owed = organiser.deliveries(&hook, "status=waiting").await.len();
    assert_eq!(owed, 8);
    let tried = receiver.came().len();

    // While it is disabled nothing is queued for it, and the other hears everything.
    confirms(&holdfast, 1).await;
    other.hears("order.confirmed", 9).await;
    assert_eq!(organiser.deliveries(&hook, "").await.len(), 8);
    holdfast.every_invariant_holds().await;
    assert!(receiver.came().len() <= tried + 4, "only what was under way was still sent");

    receiver.answers(200);
    let path = format!("/v1/admin/hooks/{}", id(&hook));
    let enabled = organiser.patch(&path, json!({ "enabled": true })).await.expect(200);
    assert_eq!((&enabled["status"], &enabled["reason"]), (&json!("enabled"), &Value::Null));
    organiser.sees_deliveries(&hook, "delivered", 8).await;
    // What it missed meanwhile is in the log.
    let missed = json!({ "since": "2020-01-01T00:00:00Z" });
    assert_eq!(organiser.replays(&hook, missed).await.expect(200)["queued"], 9);
    organiser.sees_deliveries(&hook, "delivered", 17).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_ask_for_a_replay_at_two_nodes_one_is_heard() {
    let holdfast = Holdfast::that_calls_back().await;
    let second = holdfast.second_node().await;
    let receiver = Receiver::start().await;
    let organiser = holdfast.organiser();
    let hook = organiser.listens(&receiver, &["order.confirmed"]).await;
    confirms(&holdfast, 1).await;
    let delivered = organiser.sees_deliveries(&hook, "delivered", 1).await;
    // It waits for as long as everybody asks.
    receiver.answers(500);
    let doors = [organiser.clone(), organiser.at(&second)];
    let mut asked = JoinSet::new();
    for number in 0..100 {
        let (door, hook) = (doors[number % 2].clone(), hook.clone());
        let wish = json!({ "event_id": delivered[0]["event"]["id"] });
        asked.spawn(async move { door.replays(&hook, wish).await.expect(200)["queued"].as_i64() });
    }
    let queued: i64 = asked.join_all().await.into_iter().flatten().sum();
    assert_eq!(queued, 1);
    receiver.answers(200);
    let told = organiser.sees_deliveries(&hook, "delivered", 2).await;
    assert_eq!(told[0]["event"], told[1]["event"]);
    assert_eq!((&told[0]["replay"], &told[1]["replay"]), (&json!(1), &json!(0)));
    // A replay of a time, by type, and what cannot be.
    let nothing = json!({ "since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z" });
    assert_eq!(organiser.replays(&hook, nothing).await.expect(200)["queued"], 0);
    let other = json!({ "since": "2020-01-01T00:00:00Z", "types": ["hold.created"] });
    assert_eq!(organiser.replays(&hook, other).await.expect(200)["queued"], 0);
    let unknown = json!({ "event_id": uuid::Uuid::new_v4() });
    assert_eq!(organiser.replays(&hook, unknown).await.status, 404);
    for bad in [json!({}), json!({ "since": "2020-01-01T00:00:00Z", "types": ["nonsense"] })] {
        assert_eq!(organiser.replays(&hook, bad).await.status, 422);
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_told_once_and_replaced_without_a_gap() {
    let holdfast = Holdfast::that_calls_back().await;
    let receiver = Receiver::start().await;
    let organiser = holdfast.organiser();
    let wish = json!({ "url": receiver.url, "events": ["order.confirmed"], "description": "box office" });
    let hook = organiser.post_once("/v1/admin/hooks", "add-once", wish.clone()).await.expect(201);
    let again = organiser.post_once("/v1/admin/hooks", "add-once", wish).await.expect(201);
    assert_eq!(hook, again, "a repeat adds nothing, and is told the same");
    let first = hook["secret"].as_str().expect("a secret").to_owned();
    let path = format!("/v1/admin/hooks/{}", id(&hook));
    let roll =
        async || organiser.post_once(&format!("{path}/secret"), "roll-once", json!({})).await.expect(200);
    let rolled = roll().await;
    let second = rolled["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(first, second);
    assert_eq!(roll().await["secret"], rolled["secret"]);
    assert!(rolled["old_secret_until"].is_string());

    let pong = organiser.post(&format!("{path}/ping"), json!({})).await.expect(200);
    assert_eq!((&pong["delivered"], &pong["http_status"]), (&json!(true), &json!(200)));
    let arrival = receiver.hears("ping", 1).await.remove(0);
    assert_eq!(arrival.body["id"], pong["event_id"]);
    assert!(arrival.is_signed_with(&first) && arrival.is_signed_with(&second));
    receiver.answers(500);
    let pong = organiser.post(&format!("{path}/ping"), json!({})).await.expect(200);
    assert_eq!((&pong["delivered"], &pong["error"]), (&json!(false), &json!("answered 500")));
    assert_eq!(organiser.hook(&hook).await["failing_since"], Value::Null, "a ping says nothing of the rest");

    receiver.answers(200);
    sqlx::query("update hooks set old_secret_until = now()")
        .execute(&holdfast.app().pg)
        .await
        .expect("a day passes");
    confirms(&holdfast, 1).await;
    let told = receiver.hears("order.confirmed", 1).await.remove(0);
    assert!(!told.is_signed_with(&first) && told.is_signed_with(&second));

    // Nobody is told again, and whoever reads the table learns nothing.
    for path in ["/v1/admin/hooks", &path, &format!("{path}/deliveries"), "/v1/admin/hook-events"] {
        let text = organiser.get(path).await.expect(200).to_string();
        assert!(
            !text.contains(&first) && !text.contains(&second) && !text.contains("whsec_"),
            "{path}: {text}"
        );
    }
    let (rows,): (String,) = sqlx::query_as(
        "select coalesce(string_agg(encode(h.secret, 'escape') || h::text, ''), '') from hooks h",
    )
    .fetch_one(&holdfast.app().pg)
    .await
    .expect("a query");
    assert!(!rows.contains("whsec_"));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_only_we_can_reach_is_refused_by_name() {
    let holdfast = Holdfast::start().await;
    let receiver = Receiver::start().await;
    let organiser = holdfast.organiser();
    let refused = async |client: &Client, url: &str| {
        let answer = client.post("/v1/admin/hooks", json!({ "url": url, "events": ["*"] })).await;
        assert_eq!((answer.status, answer.code()), (422, "invalid_request"), "{url}");
        assert_eq!(answer.body["errors"][0]["field"], "url", "{url}: {}", answer.body);
    };
    let secure = receiver.url.replace("http://", "https://");
    for url in [
        receiver.url.as_str(),
        &secure,
        "https://localhost/hooks",
        "https://10.0.0.7/",
        "https://[::1]/",
        "https://[::ffff:192.168.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "ftp://example.com/",
        "https://ada:lovelace@example.com/",
        "not an address",
    ] {
        refused(&organiser, url).await;
    }
    assert!(
        organiser.get("/v1/admin/hooks").await.expect(200)["items"].as_array().is_some_and(Vec::is_empty)
    );
    for (field, body) in [
        ("events", json!({ "url": "https://10.0.0.7/", "events": [] })),
        ("events", json!({ "url": "https://10.0.0.7/", "events": ["order.paid"] })),
        (
            "description",
            json!({ "url": "https://10.0.0.7/", "events": ["*"], "description": "x".repeat(201) }),
        ),
        ("url", json!({ "events": ["*"] })),
    ] {
        let answer = organiser.post("/v1/admin/hooks", body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["field"]),
            (422, &json!(field)),
            "{}",
            answer.body
        );
    }

    // What one house allows, another may not: it is looked at again before every try.
    let lenient = Holdfast::with(|config| {
        config.hooks_allow = vec!["127.0.0.0/8".parse().expect("a network")];
        config.hooks_pause_ms = 20;
    })
    .await;
    let organiser = lenient.organiser();
    refused(&organiser, &receiver.url).await;
    let hook = organiser.post("/v1/admin/hooks", json!({ "url": secure, "events": ["*"] })).await.expect(201);
    sqlx::query("update hooks set url = 'https://10.0.0.7/'")
        .execute(&lenient.app().pg)
        .await
        .expect("changed");
    let pong = organiser.post(&format!("/v1/admin/hooks/{}/ping", id(&hook)), json!({})).await.expect(200);
    assert_eq!(pong["delivered"], false);
    assert!(pong["error"].as_str().is_some_and(|error| error.contains("not allowed")), "{pong}");
    assert!(receiver.came().is_empty());
    lenient.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_endpoints_added_at_once_an_account_keeps_sixteen() {
    let holdfast = Holdfast::that_calls_back().await;
    let second = holdfast.second_node().await;
    let receiver = Receiver::start().await;
    let doors = [holdfast.organiser(), holdfast.organiser().at(&second)];
    let mut asked = JoinSet::new();
    for number in 0..100 {
        let (door, url) = (doors[number % 2].clone(), receiver.url.clone());
        asked.spawn(async move {
            let mut wish = json!({ "url": url, "events": ["order.confirmed"] });
            wish["description"] = number.to_string().into();
            // A full house may ask to come back.
            loop {
                let answer = door.post("/v1/admin/hooks", wish.clone()).await;
                if answer.status != 503 {
                    return answer;
                }
            }
        });
    }
    let answers = asked.join_all().await;
    let added = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.code() == "too_many_hooks").count();
    assert_eq!((added, refused), (16, 84));
    let list = holdfast.organiser().get("/v1/admin/hooks?limit=100").await.expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(16));
    holdfast.every_invariant_holds().await;
}
