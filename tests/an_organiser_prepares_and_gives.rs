//! What an organiser does beside selling: prepares an event unseen, gives seats away, sets limits, reads tables.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Holdfast, eventually};

fn a_form(title: &str, seats: u32) -> Value {
    json!({
        "title": title, "starts_at": "2031-05-01T19:00:00Z", "draft": true, "orphan_rule": false,
        "categories": [{ "key": "all", "price": 1000 }],
        "sections": [{ "key": "hall", "category": "all", "rows": [{ "name": "A", "seats": seats }] }],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_its_organisers_alone_until_it_is_published() {
    let holdfast = Holdfast::start().await;
    let (organiser, anyone) = (holdfast.organiser(), holdfast.customer().await);
    let draft = organiser.post("/v1/admin/events", a_form("First Idea", 3)).await.expect(201);
    assert_eq!(draft["status"], "draft");
    let path = format!("/v1/events/{}", id(&draft));
    for part in ["", "/seats", "/availability", "/status", "/live"] {
        assert_eq!(anyone.get(&format!("{path}{part}")).await.status, 404, "{part}");
    }
    assert_eq!(anyone.get("/v1/events").await.expect(200)["items"], json!([]));
    let wish = json!({ "seats": ["hall-A-1"] });
    assert_eq!(anyone.post(&format!("{path}/holds"), wish.clone()).await.status, 404);
    let own = format!("/v1/admin/events/{}", id(&draft));
    let drawing = organiser.get(&format!("{own}/seats")).await.expect(200);
    assert_eq!(drawing["sections"][0]["rows"][0]["seats"].as_array().map(Vec::len), Some(3));
    let stranger = holdfast.another_organiser().await;
    for answer in [
        stranger.get(&own).await,
        stranger.get(&format!("{own}/seats")).await,
        stranger.call("put", &own, a_form("Stolen", 1)).await,
        stranger.post(&format!("{own}/publish"), json!({})).await,
        stranger.delete(&own).await,
    ] {
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }

    // Everything may change, the places too; what is wrong is named.
    let refused =
        organiser.call("put", &own, json!({ "title": "", "starts_at": "2031-05-01T19:00:00Z" })).await;
    assert_eq!((refused.status, refused.code()), (422, "invalid_request"));
    let changed = organiser.call("put", &own, a_form("Second Idea", 5)).await.expect(200);
    assert_eq!((&changed["title"], &changed["seats"]), (&json!("Second Idea"), &json!(5)));
    assert_eq!(organiser.get(&own).await.expect(200)["sections"][0]["seats"], 5);
    let drawing = organiser.get(&format!("{own}/seats")).await.expect(200);
    assert_eq!(drawing["sections"][0]["rows"][0]["seats"].as_array().map(Vec::len), Some(5));

    let cancelled = organiser.post(&format!("{own}/cancel"), json!({})).await;
    assert_eq!((cancelled.status, cancelled.code()), (409, "not_published"));
    assert_eq!(anyone.get("/v1/events").await.expect(200)["items"], json!([]), "nobody hears of it");

    let published = organiser.post(&format!("{own}/publish"), json!({})).await.expect(200);
    assert_eq!(published["status"], "on_sale");
    organiser.post(&format!("{own}/publish"), json!({})).await.expect(200);
    anyone.post(&format!("{path}/holds"), json!({ "seats": ["hall-A-5"] })).await.expect(201);
    let late = organiser.call("put", &own, a_form("Third Idea", 9)).await;
    assert_eq!((late.status, late.code()), (409, "not_a_draft"));
    assert_eq!(organiser.delete(&own).await.code(), "not_a_draft");

    let other = organiser.post("/v1/admin/events", a_form("Never Mind", 3)).await.expect(201);
    organiser.delete(&format!("/v1/admin/events/{}", id(&other))).await.expect(204);
    assert_eq!(organiser.get(&format!("/v1/admin/events/{}", id(&other))).await.status, 404);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_publish_and_change_a_draft_at_two_nodes_all_see_one_event() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let draft = holdfast.organiser().post("/v1/admin/events", a_form("Race", 3)).await.expect(201);
    let own = format!("/v1/admin/events/{}", id(&draft));
    let mut racing = JoinSet::new();
    for number in 0..100_u32 {
        let organiser = if number % 2 == 0 { holdfast.organiser() } else { holdfast.organiser().at(&second) };
        let own = own.clone();
        racing.spawn(async move {
            if number % 10 == 9 {
                organiser.post(&format!("{own}/publish"), json!({})).await
            } else {
                organiser.call("put", &own, a_form("Race", number + 1)).await
            }
        });
    }
    for answer in racing.join_all().await {
        assert!(matches!(answer.status, 200 | 409), "{}", answer.body);
    }
    let event = holdfast.anyone().get(&format!("/v1/events/{}", id(&draft))).await.expect(200);
    for node in [holdfast.anyone(), holdfast.anyone().at(&second)] {
        let chart = node.get(&format!("/v1/events/{}/seats", id(&draft))).await.expect(200);
        let rows = &chart["sections"][0]["rows"][0]["seats"];
        assert_eq!(
            rows.as_array().map(Vec::len),
            event["seats"].as_u64().and_then(|seats| usize::try_from(seats).ok())
        );
        let status = node.get(&format!("/v1/events/{}/status", id(&draft))).await.expect(200);
        assert_eq!(status["total"], event["seats"]);
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_given_to_a_named_guest_free_or_blocked_and_past_every_rule() {
    let holdfast = Holdfast::start().await;
    let event = holdfast
        .event(json!({
            "title": "Premiere", "starts_at": "2031-05-01T19:00:00Z", "sale_starts_at": "2031-01-01T10:00:00Z",
            "max_per_customer": 1, "categories": [{ "key": "all", "price": 1000 }],
            "sections": [{ "key": "hall", "category": "all", "rows": [{ "name": "A", "seats": 5 }] }],
            "areas": [{ "key": "floor", "category": "all", "capacity": 3 }],
        }))
        .await;
    let organiser = holdfast.organiser();
    let path = format!("/v1/admin/events/{event}");
    let block = json!({ "seats": ["hall-A-1"], "reason": "press" });
    organiser.post(&format!("{path}/seats/block"), block).await.expect(200);
    let gift = json!({ "seats": ["hall-A-1", "hall-A-3"], "areas": { "floor": 2 }, "name": "Grace Guest",
                       "email": "grace@example.com", "reason": "press" });
    let order = organiser.post(&format!("{path}/comps"), gift.clone()).await.expect(201);
    assert_eq!(
        (&order["status"], &order["amount"], &order["complimentary"]),
        (&json!("confirmed"), &json!(0), &json!(true))
    );
    assert_eq!(
        (&order["customer"]["name"], order["tickets"].as_array().map(Vec::len)),
        (&json!("Grace Guest"), Some(4))
    );
    let anyone = holdfast.customer().await;
    for seat in ["hall-A-1", "hall-A-3", "floor-1", "floor-2"] {
        anyone.sees_seat(event, seat, "sold").await;
    }
    let again = organiser.post(&format!("{path}/comps"), gift).await;
    assert_eq!((again.status, again.code()), (409, "seats_unavailable"));
    let wrong = json!({ "seats": ["hall-A-2"], "name": "", "email": "nobody", "reason": " " });
    assert_eq!(organiser.post(&format!("{path}/comps"), wrong).await.code(), "invalid_request");
    let stranger = holdfast.another_organiser().await;
    let theirs = json!({ "seats": ["hall-A-2"], "name": "G", "email": "g@example.com", "reason": "x" });
    assert_eq!(stranger.post(&format!("{path}/comps"), theirs).await.status, 404);

    let report = organiser.get(&format!("{path}/report")).await.expect(200);
    assert_eq!((&report["complimentary"], &report["revenue"]), (&json!(4), &json!(0)));
    organiser.post(&format!("/v1/admin/orders/{}/refund", id(&order)), json!({})).await.expect(200);
    anyone.sees_seat(event, "hall-A-1", "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_never_takes_a_seat_from_a_customer_who_holds_it() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let seats = ["stalls-A-1", "stalls-A-2"];
    let mut racing = JoinSet::new();
    for (number, customer) in holdfast.crowd(60).await.into_iter().enumerate() {
        let customer = if number % 2 == 0 { customer } else { customer.at(&second) };
        racing.spawn(async move { ("hold", customer.holds_seats(event, &[seats[number % 2]]).await) });
    }
    for number in 0..60 {
        let organiser = if number % 2 == 0 { holdfast.organiser() } else { holdfast.organiser().at(&second) };
        let gift =
            json!({ "seats": seats, "name": "Grace Guest", "email": "grace@example.com", "reason": "press" });
        let path = format!("/v1/admin/events/{event}/comps");
        racing.spawn(async move { ("gift", organiser.post(&path, gift).await) });
    }
    let answers = racing.join_all().await;
    let won =
        |kind: &str| answers.iter().filter(|(what, answer)| *what == kind && answer.status == 201).count();
    for (_, answer) in &answers {
        assert!(answer.status == 201 || answer.code() == "seats_unavailable", "{}", answer.body);
    }
    assert!(won("gift") + won("hold") >= 1 && won("gift") <= 1 && won("hold") <= 2);
    assert!(won("gift") == 0 || won("hold") == 0, "somebody lost a seat that they held");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_limit_counts_what_is_held_and_bought_across_orders_and_nodes() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let rows: Vec<_> = (0..10).map(|row| json!({ "name": format!("{row}"), "seats": 10 })).collect();
    let event = holdfast
        .event(json!({
            "title": "Limited", "starts_at": "2031-05-01T19:00:00Z", "max_per_customer": 4, "orphan_rule": false,
            "categories": [{ "key": "all", "price": 1000 }],
            "sections": [{ "key": "hall", "category": "all", "rows": rows }],
        }))
        .await;
    let ada = holdfast.customer().await;
    let bought = holdfast.sold(&ada, event, &["hall-0-1"]).await;
    let mut racing = JoinSet::new();
    for number in 0..100 {
        let here = if number % 2 == 0 { ada.clone() } else { ada.at(&second) };
        racing.spawn(async move {
            here.holds_seats(event, &[&format!("hall-{}-{}", number / 10, number % 10 + 1)]).await
        });
    }
    let mut held = Vec::new();
    for answer in racing.join_all().await {
        match answer.status {
            201 => held.push(answer.body),
            _ => assert!(matches!(answer.code(), "limit_exceeded" | "seats_unavailable"), "{}", answer.body),
        }
    }
    assert_eq!(held.len(), 3, "one is bought already");
    for hold in &held {
        let order = ada.checks_out(hold).await;
        holdfast.pay(&order, GOOD_CARD).await.expect(200);
        ada.sees(&order, "confirmed").await;
    }
    let more = ada.holds(event, json!({ "best": { "quantity": 1 } })).await;
    assert_eq!(
        (more.code(), &more.body["limit"], &more.body["held"]),
        ("limit_exceeded", &json!(4), &json!(4))
    );
    ada.cancels(&bought).await.expect(200);
    eventually("what was given back counts no more", async || {
        (ada.holds(event, json!({ "best": { "quantity": 1 } })).await.status == 201).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_events_refunds_go_on_where_they_were_interrupted_and_say_how_far_they_are() {
    let mut holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let mut orders = Vec::new();
    for seat in 1..=6 {
        let customer = holdfast.customer().await;
        orders.push((holdfast.sold(&customer, event, &[&format!("stalls-A-{seat}")]).await, customer));
    }
    holdfast.stripe_fails("refund", 500).await;
    let path = format!("/v1/admin/events/{event}");
    holdfast.organiser().post(&format!("{path}/cancel"), json!({})).await.expect(200);
    eventually("all are called off and no money is back", async || {
        let report = holdfast.organiser().get(&format!("{path}/report")).await.expect(200);
        (report["calling_off"] == json!({ "to_call_off": 0, "refunding": 6, "refunded": 0 })).then_some(())
    })
    .await;
    assert!(holdfast.anyone().get_text("/metrics").await.contains("\nholdfast_orders_to_call_off 6\n"));
    holdfast.dies_and_comes_back().await;
    holdfast.stripe_recovers().await;
    eventually("all money is back", async || {
        let report = holdfast.organiser().get(&format!("{path}/report")).await.expect(200);
        (report["calling_off"]["refunded"] == 6).then_some(())
    })
    .await;
    assert!(holdfast.anyone().get_text("/metrics").await.contains("\nholdfast_orders_to_call_off 0\n"));
    for (order, customer) in &orders {
        assert_eq!(customer.order(order).await["refunds"].as_array().map(Vec::len), Some(1));
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sale_is_counted_by_section_category_and_day_and_taken_away_as_tables() {
    let holdfast = Holdfast::start().await;
    let event = holdfast
        .event(json!({
            "title": "Two Tiers", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false,
            "categories": [{ "key": "gold", "price": 5000 }, { "key": "tin", "price": 1000 }],
            "sections": [{ "key": "stalls", "category": "gold", "rows": [{ "name": "A", "seats": 4 }] },
                         { "key": "balcony", "category": "tin", "rows": [{ "name": "A", "seats": 4 }] }],
        }))
        .await;
    let ada = holdfast.customer().await;
    sqlx::query("update accounts set name = '=HYPERLINK(\"x\"), Ada' where role = 'customer'")
        .execute(&holdfast.app().pg)
        .await
        .expect("a name");
    holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2", "balcony-A-1"]).await;
    let path = format!("/v1/admin/events/{event}");
    let organiser = holdfast.organiser();
    let report = organiser.get(&format!("{path}/report")).await.expect(200);
    assert_eq!(
        report["sections"],
        json!([{ "section": "balcony", "sold": 1, "revenue": 1000 }, { "section": "stalls", "sold": 2, "revenue": 10000 }])
    );
    let today = time::OffsetDateTime::now_utc().date().to_string();
    let days = report["days"].as_array().expect("days");
    assert_eq!((days.len(), &days[0]["sold"]), (1, &json!(3)));
    assert!(days[0]["day"].as_str() >= Some(&today[..9]), "{days:?}");

    let table = organiser.get(&format!("{path}/report.csv?by=section")).await;
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(table.body, "section,sold,revenue,currency\r\nbalcony,1,1000,eur\r\nstalls,2,10000,eur\r\n");
    for by in ["category", "day"] {
        assert_eq!(organiser.get(&format!("{path}/report.csv?by={by}")).await.status, 200);
    }
    assert_eq!(organiser.get(&format!("{path}/report.csv?by=colour")).await.code(), "invalid_request");
    let seats = organiser.get_text(&format!("{path}/orders.csv")).await;
    let lines: Vec<&str> = seats.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[1].contains("\"'=HYPERLINK(\"\"x\"\"), Ada\""), "no cell is a formula: {}", lines[1]);
    assert!(
        lines[1].contains(",confirmed,")
            && lines.iter().any(|line| line.contains("stalls-A-2,stalls,A,2,gold,5000"))
    );
    let stranger = holdfast.another_organiser().await;
    for table in ["orders.csv", "report.csv?by=day", "log"] {
        assert_eq!(stranger.get(&format!("{path}/{table}")).await.status, 404, "{table}");
    }
}

/// So many sessions of this database wait for somebody's lock.
async fn so_many_wait(owner: &sqlx::PgPool, wanted: i64) {
    eventually("they wait", async || {
        let (waiting,): (i64,) = sqlx::query_as(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(owner)
        .await
        .expect("what the server does");
        (waiting == wanted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_is_blocked_while_it_is_unblocked_is_one_or_the_other_in_both_stores() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 3600).await;
    let event = holdfast.theatre().await;
    let (organiser, owner) = (holdfast.organiser(), holdfast.owner());
    let wish = json!({ "seats": ["stalls-A-1"], "reason": "a pillar" });
    let path = |what: &str| format!("/v1/admin/events/{event}/seats/{what}");
    organiser.post(&path("block"), wish.clone()).await.expect(200);

    // Whoever unblocks has deleted the claim and cannot commit; whoever blocks finds the seat blocked in Redis, and waits.
    let mut door = owner.begin().await.expect("a transaction");
    sqlx::query("lock table trail in share mode").execute(&mut *door).await.expect("the door is shut");
    let mut racing = JoinSet::new();
    for (number, what) in (1..).zip(["unblock", "block"]) {
        let (organiser, path, wish) = (organiser.clone(), path(what), wish.clone());
        racing.spawn(async move { organiser.post(&path, wish).await.expect(200) });
        so_many_wait(&owner, number).await;
    }
    door.rollback().await.expect("the door is open");
    racing.join_all().await;
    let claim = holdfast.claim(event, "stalls-A-1").await.map(|(state, _)| state);
    assert_eq!(holdfast.flag(event, "stalls-A-1").await, claim, "Redis, and Postgres");
    holdfast.every_invariant_holds().await;
}
