//! A ticket moves to another seat without being cancelled: one seat is taken and one given back, or neither.

use std::collections::HashSet;

use holdfast::ids::EventId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::journeys::id;
use crate::support::{Answer, Client, Holdfast};

async fn moves(desk: &Client, ticket: &Value, seat: &str) -> Answer {
    let path = format!("/v1/admin/tickets/{}/move", id(ticket));
    desk.post(&path, json!({ "seat": seat, "reason": "broken seat" })).await
}

async fn scan(door: &Client, ticket: &Value) -> Answer {
    door.post("/v1/admin/tickets/check-in", json!({ "code": ticket["code"] })).await
}

fn refused(answer: &Answer) -> (u16, &str, &Value, &Value) {
    (answer.status, answer.code(), &answer.body["seats"][0]["id"], &answer.body["seats"][0]["reason"])
}

/// Two rows of the same price, a dearer one, and standing places of the first price.
async fn hall(holdfast: &Holdfast) -> EventId {
    holdfast
        .event(json!({
            "title": "The Tempest", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur", "orphan_rule": true,
            "max_per_customer": 2,
            "categories": [{ "key": "gold", "price": 4800 }, { "key": "silver", "price": 4800 }, { "key": "box", "price": 9900 }],
            "sections": [
                { "key": "stalls", "category": "gold", "rows": [{ "name": "A", "seats": 6 }] },
                { "key": "circle", "category": "silver", "rows": [{ "name": "B", "seats": 4 }] },
                { "key": "boxes", "category": "box", "rows": [{ "name": "C", "seats": 2 }] },
            ],
            "areas": [{ "key": "floor", "category": "gold", "capacity": 2 }],
        }))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_takes_one_seat_and_gives_one_back_everywhere_at_once() {
    let holdfast = Holdfast::start().await;
    let event = hall(&holdfast).await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let (ticket, desk) = (&order["tickets"][0], holdfast.organiser());
    // The limit is reached, a single seat is left alone, and the sale is over: none of that is about moving.
    let over = json!({ "sale_ends_at": "2026-01-02T00:00:00Z", "sale_starts_at": "2026-01-01T00:00:00Z" });
    desk.patch(&format!("/v1/admin/events/{event}"), over).await.expect(200);
    let now = moves(&desk, ticket, "circle-B-2").await.expect(200);
    assert_eq!(now["customer"]["name"], "A customer");
    let now = ada.order(&now).await;
    let seats: Vec<_> =
        now["seats"].as_array().expect("seats").iter().map(|seat| seat["id"].clone()).collect();
    assert_eq!(seats, ["stalls-A-2", "circle-B-2"]);
    let moved = &now["tickets"][1];
    assert_eq!(
        (&moved["id"], &moved["issue"], &moved["seat_id"]),
        (&ticket["id"], &json!(2), &json!("circle-B-2"))
    );
    assert_ne!(moved["code"], ticket["code"]);
    assert_eq!((&now["status"], &now["amount"]), (&json!("confirmed"), &json!(9600)));

    ada.sees_seat(event, "circle-B-2", "sold").await;
    ada.sees_seat(event, "stalls-A-1", "free").await;
    assert_eq!(holdfast.claim(event, "stalls-A-1").await, None);
    assert_eq!(holdfast.claim(event, "circle-B-2").await.map(|claim| claim.0).as_deref(), Some("sold"));
    let dead = scan(&desk, ticket).await;
    assert_eq!((dead.status, dead.code(), &dead.body["moved"]), (409, "ticket_void", &json!(true)));
    assert_eq!(scan(&desk, moved).await.expect(200)["ticket"]["seat_id"], "circle-B-2");
    let history = desk.get(&format!("/v1/admin/tickets/{}/log", id(ticket))).await.expect(200);
    let line = &history["items"][0];
    assert_eq!((&line["what"], &line["by"]), (&json!("moved"), &json!("A organiser")));
    assert_eq!((&line["from_seat"], &line["to_seat"]), (&json!("stalls-A-1"), &json!("circle-B-2")));
    assert_eq!(line["reason"], "broken seat");

    // Somebody who is inside stays so, and may sit elsewhere once more.
    let again = moves(&desk, moved, "floor").await.expect(200);
    let standing = again["tickets"].as_array().expect("tickets").iter().find(|one| one["id"] == ticket["id"]);
    assert!(standing.is_some_and(|one| one["checked_in_at"].is_string() && one["seat_id"] == "floor-1"));
    // What the customer may buy is counted as before: two seats, not three, and not one.
    let open = json!({ "sale_ends_at": null, "sale_starts_at": null });
    desk.patch(&format!("/v1/admin/events/{event}"), open).await.expect(200);
    holdfast.every_invariant_holds().await;
    let third = ada.holds_seats(event, &["circle-B-1", "circle-B-2"]).await;
    assert_eq!((third.code(), &third.body["held"]), ("limit_exceeded", &json!(2)));
    ada.cancels(&now).await.expect(200);
    holdfast.every_invariant_holds().await;
    ada.holds_seats(event, &["circle-B-1", "circle-B-2"]).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_cannot_be_is_refused_with_its_reason_and_changes_nothing() {
    let holdfast = Holdfast::start().await;
    let event = hall(&holdfast).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let (ticket, desk) = (&order["tickets"][0], holdfast.organiser());
    holdfast.sold(&ben, event, &["circle-B-1", "circle-B-2"]).await;
    let cleo = holdfast.customer().await;
    cleo.holds_seats(event, &["circle-B-3"]).await.expect(201);
    let blocked = json!({ "seats": ["circle-B-4"], "reason": "desk" });
    desk.post(&format!("/v1/admin/events/{event}/seats/block"), blocked).await.expect(200);
    holdfast.sold(&holdfast.customer().await, event, &["floor-1", "floor-2"]).await;

    for (seat, reason) in
        [("circle-B-1", "sold"), ("circle-B-3", "held"), ("circle-B-4", "blocked"), ("stalls-A-2", "sold")]
    {
        let answer = moves(&desk, ticket, seat).await;
        assert_eq!(refused(&answer), (409, "seats_unavailable", &json!(seat), &json!(reason)));
    }
    assert_eq!(moves(&desk, ticket, "floor").await.code(), "sold_out");
    let dear = moves(&desk, ticket, "boxes-C-1").await;
    assert_eq!((dear.status, dear.code()), (409, "price_differs"));
    assert_eq!((&dear.body["paid"], &dear.body["price"]), (&json!(4800), &json!(9900)));
    let unknown = moves(&desk, ticket, "stalls-Z-9").await;
    assert_eq!(
        (unknown.status, unknown.code(), &unknown.body["seats"][0]),
        (422, "unknown_seats", &json!("stalls-Z-9"))
    );
    assert_eq!(moves(&holdfast.another_organiser().await, ticket, "stalls-A-4").await.status, 404);
    assert_eq!(moves(&ada, ticket, "stalls-A-4").await.status, 403);
    // Where it is already: nothing happens, and the code stays good.
    let same = moves(&desk, ticket, "stalls-A-1").await.expect(200);
    assert_eq!(same["tickets"], order["tickets"]);
    assert_eq!(ada.order(&order).await["tickets"], order["tickets"]);
    let metrics = holdfast.anyone().get_text("/metrics").await;
    assert!(metrics.contains("holdfast_ticket_moves_total{label=\"refused\"}"), "{metrics}");

    ada.cancels(&order).await.expect(200);
    assert_eq!(moves(&desk, ticket, "stalls-A-4").await.code(), "ticket_void");
    for seat in ["stalls-A-1", "stalls-A-4"] {
        ada.sees_seat(event, seat, "free").await;
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_of_the_house_may_be_seated_anywhere() {
    let holdfast = Holdfast::start().await;
    let (event, desk) = (hall(&holdfast).await, holdfast.organiser());
    let gift = json!({ "seats": ["stalls-A-1"], "name": "Grace Guest", "email": "grace@example.com",
                       "reason": "press" });
    let order = desk.post(&format!("/v1/admin/events/{event}/comps"), gift).await.expect(201);
    let moved = moves(&desk, &order["tickets"][0], "boxes-C-1").await.expect(200);
    assert_eq!((&moved["tickets"][0]["seat_id"], &moved["amount"]), (&json!("boxes-C-1"), &json!(0)));
    let anyone = holdfast.customer().await;
    anyone.sees_seat(event, "boxes-C-1", "sold").await;
    anyone.sees_seat(event, "stalls-A-1", "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_postgres_knows_to_be_taken_is_refused_although_redis_says_free() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    holdfast.sold(&ben, event, &["stalls-B-1"]).await;
    holdfast.every_invariant_holds().await;
    let ordinal =
        holdfast.app().catalog.chart(event).await.expect("a chart").ordinal("stalls-B-1").expect("one");
    for plane in ["sold", "taken"] {
        holdfast.redis_command(&["SETBIT", &format!("{plane}:{{{event}}}"), &ordinal.to_string(), "0"]).await;
    }
    holdfast.redis_command(&["DEL", &format!("isTaken:{{{event}}}:{ordinal}")]).await;

    let answer = moves(&holdfast.organiser(), &order["tickets"][0], "stalls-B-1").await;
    assert_eq!(refused(&answer), (409, "seats_unavailable", &json!("stalls-B-1"), &json!("sold")));
    ada.sees_seat(event, "stalls-B-1", "sold").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_whose_node_dies_before_redis_hears_of_it_is_shown_by_another() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    moves(&holdfast.organiser(), &order["tickets"][0], "stalls-B-1").await.expect(200);
    holdfast.every_invariant_holds().await;
    // As Redis was before the move, with the debt that the move's transaction left.
    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    let (old, new) = (chart.ordinal("stalls-A-1").expect("one"), chart.ordinal("stalls-B-1").expect("one"));
    let flag = |ordinal: u32| format!("isTaken:{{{event}}}:{ordinal}");
    holdfast.redis_command(&["SET", &flag(old), &format!("sold:{}", id(&order))]).await;
    holdfast.redis_command(&["DEL", &flag(new)]).await;
    for plane in ["sold", "taken"] {
        let key = format!("{plane}:{{{event}}}");
        holdfast.redis_command(&["SETBIT", &key, &old.to_string(), "1"]).await;
        holdfast.redis_command(&["SETBIT", &key, &new.to_string(), "0"]).await;
    }
    sqlx::query("insert into outbox (event_id, order_id, kind) select event_id, id, 'show' from orders")
        .execute(&holdfast.app().pg)
        .await
        .expect("a debt");
    ada.sees_seat(event, "stalls-A-1", "free").await;
    ada.sees_seat(event, "stalls-B-1", "sold").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_asked_again_with_the_same_key_is_one_move() {
    let holdfast = Holdfast::start().await;
    let event = hall(&holdfast).await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let (desk, path) = (holdfast.organiser(), format!("/v1/admin/tickets/{}/move", id(&order["tickets"][0])));
    let first = desk.post_once(&path, "k", json!({ "seat": "floor" })).await.expect(200);
    let again = desk.post_once(&path, "k", json!({ "seat": "floor" })).await.expect(200);
    assert_eq!(first["tickets"], again["tickets"]);
    assert_eq!(desk.post_once(&path, "k", json!({ "seat": "stalls-A-4" })).await.status, 422);
    assert_eq!(ada.order(&order).await["tickets"][0]["issue"], 2);
    holdfast.every_invariant_holds().await;
}

/// An event of so many seats in one row, and a customer's order for the first of them.
async fn row(holdfast: &Holdfast, seats: usize, sold: usize) -> (EventId, Client, Value) {
    let event = holdfast
        .event(json!({
            "title": "A long row", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false,
            "categories": [{ "key": "a", "price": 100 }],
            "sections": [{ "key": "s", "category": "a", "rows": [{ "name": "A", "seats": seats }] }],
        }))
        .await;
    let ada = holdfast.customer().await;
    let names: Vec<_> = (1..=sold).map(|number| format!("s-A-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let order = holdfast.sold(&ada, event, &names).await;
    (event, ada, order)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_moves_to_one_seat_on_two_nodes_one_succeeds() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let (event, ada, order) = row(&holdfast, 101, 100).await;
    let desks = [holdfast.organiser(), holdfast.organiser().at(&second)];
    let mut racing = JoinSet::new();
    for (number, ticket) in order["tickets"].as_array().expect("tickets").iter().cloned().enumerate() {
        let desk = desks[number % 2].clone();
        racing.spawn(async move { moves(&desk, &ticket, "s-A-101").await });
    }
    let mut moved = 0;
    for answer in racing.join_all().await {
        if answer.status == 200 {
            moved += 1;
        } else {
            assert_eq!((answer.status, answer.code()), (409, "seats_unavailable"), "{}", answer.body);
        }
    }
    assert_eq!(moved, 1);
    let now = ada.order(&order).await;
    let seats: HashSet<_> =
        now["seats"].as_array().expect("seats").iter().map(|seat| seat["id"].to_string()).collect();
    assert_eq!(seats.len(), 100, "as many seats as before");
    holdfast.every_invariant_holds().await;
    let picture = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!((&picture["sold"], &picture["available"]), (&json!(100), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_moves_in_a_ring_lose_no_seat_and_sell_none_twice() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    // Each wants the next one's seat, the last the first one's, and a few are free.
    let (event, ada, order) = row(&holdfast, 24, 20).await;
    let desks = [holdfast.organiser(), holdfast.organiser().at(&second)];
    let tickets = order["tickets"].as_array().expect("tickets").clone();
    let mut racing = JoinSet::new();
    for number in 0..120 {
        let (desk, ticket) = (desks[number % 2].clone(), tickets[number % 20].clone());
        let seat = format!("s-A-{}", (number % 20 + 1 + number / 20) % 24 + 1);
        racing.spawn(async move { moves(&desk, &ticket, &seat).await });
    }
    let answers = racing.join_all().await;
    let moved = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(moved >= 4, "some moved: {moved}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.code()), (409, "seats_unavailable"), "{}", answer.body);
    }
    holdfast.every_invariant_holds().await;
    let now = ada.order(&order).await;
    let seats: HashSet<_> =
        now["seats"].as_array().expect("seats").iter().map(|seat| seat["id"].to_string()).collect();
    assert_eq!((seats.len(), now["tickets"].as_array().map(Vec::len)), (20, Some(20)));
    let picture = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!(
        (&picture["sold"], &picture["available"], &picture["held"]),
        (&json!(20), &json!(4), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_and_customers_race_for_the_same_seats_and_each_seat_has_one_owner() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let (event, ada, order) = row(&holdfast, 20, 10).await;
    let desks = [holdfast.organiser(), holdfast.organiser().at(&second)];
    let crowd = holdfast.crowd(60).await;
    let tickets = order["tickets"].as_array().expect("tickets").clone();
    let mut racing = JoinSet::new();
    for number in 0..120 {
        let seat = format!("s-A-{}", 11 + number % 10);
        let desk = desks[number % 2].clone();
        if number % 2 == 0 {
            let ticket = tickets[number / 2 % 10].clone();
            racing.spawn(async move { moves(&desk, &ticket, &seat).await.status });
        } else {
            let buyer = crowd[number / 2].clone();
            racing.spawn(async move {
                let hold = buyer.holds_seats(event, &[&seat]).await;
                if hold.status != 201 {
                    return hold.status;
                }
                buyer.post("/v1/orders", json!({ "hold_id": hold.body["id"] })).await.status
            });
        }
    }
    for status in racing.join_all().await {
        assert!([200, 201, 409].contains(&status), "{status}");
    }
    holdfast.every_invariant_holds().await;
    assert_eq!(ada.order(&order).await["tickets"].as_array().map(Vec::len), Some(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_moved_cancelled_and_shown_at_once_ends_as_one_of_them() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let desks = [holdfast.organiser(), holdfast.organiser().at(&second)];
    let mut orders = Vec::new();
    for number in 0..12 {
        let ada = holdfast.customer().await;
        let seat = format!("stalls-{}-{}", ["A", "B"][number % 2], number / 2 + 1);
        orders.push((holdfast.sold(&ada, event, &[&seat]).await, ada));
    }
    let mut racing = JoinSet::new();
    for act in 0..120 {
        let (order, ada) = orders[act % 12].clone();
        let desk = desks[act / 12 % 2].clone();
        let ticket = order["tickets"][0].clone();
        racing.spawn(async move {
            match act / 12 {
                9 => ada.cancels(&order).await,
                even if even % 2 == 0 => scan(&desk, &ticket).await,
                odd => {
                    moves(&desk, &ticket, &format!("stalls-{}-{}", ["C", "D"][odd / 2 % 2], act % 8 + 1))
                        .await
                }
            }
        });
    }
    for answer in racing.join_all().await {
        let fine = answer.status == 200 || answer.status == 409;
        assert!(fine, "{} {}", answer.status, answer.body);
    }
    for (order, ada) in &orders {
        let now = ada.sees(order, "refunded").await;
        assert_eq!(now["tickets"][0]["status"], "void");
        assert_eq!(scan(&desks[0], &now["tickets"][0]).await.code(), "ticket_void");
    }
    holdfast.every_invariant_holds().await;
    let picture = holdfast.anyone().get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!(
        (&picture["sold"], &picture["held"], &picture["available"]),
        (&json!(0), &json!(0), &json!(32))
    );
}
