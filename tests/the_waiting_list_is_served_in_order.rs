//! Whoever waits longest and can use what comes free is offered it, and the public never sees it in between.

use serde_json::{Value, json};

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::waiting::offered;
use crate::support::{Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_a_sale_sold_out_is_on_the_list_with_one_word_in_the_same_call() {
    let holdfast = Holdfast::start().await;
    let (event, ..) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let wish = json!({ "best": { "quantity": 2 }, "if_sold_out": "join_waitlist" });

    let told = ada.holds(event, json!({ "best": { "quantity": 2 } })).await;
    assert_eq!((told.status, told.code()), (409, "sold_out"));
    assert_eq!(told.body["waitlist_open"], true);

    let first = ada.holds(event, wish.clone()).await.expect(202);
    assert_eq!(
        (&first["position"], &first["status"], &first["quantity"]),
        (&json!(1), &json!("waiting"), &json!(2))
    );
    // Seats by name, of which none is left, are no different.
    let named = json!({ "seats": ["hall-A-1"], "if_sold_out": "join_waitlist" });
    assert_eq!(ben.holds(event, named).await.expect(202)["position"], 2);
    // Asking again is answered with the entry that one has.
    assert_eq!(ada.holds(event, wish).await.expect(202)["id"], first["id"]);
    let again = ada.joins(event, json!({ "quantity": 1 })).await;
    assert_eq!((again.status, again.code(), &again.body["entry_id"]), (409, "already_waiting", &first["id"]));
    let status = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!(status["waiting"], 2);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_goes_to_the_first_in_line_and_is_never_seen_free() {
    let holdfast = Holdfast::start().await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (first, second) = (ada.waits_for(event, 2).await, ben.waits_for(event, 2).await);
    assert_eq!(ben.entry(&second).await["position"], 2);
    let from = holdfast.feed_end(event).await;

    buyer.cancels(&order).await.expect(200);
    let (first, second) = (ada.is(&first, "offered").await, ben.is(&second, "offered").await);
    assert_eq!(offered(&first), ["hall-A-1", "hall-A-2"]);
    assert_eq!(offered(&second), ["hall-A-3", "hall-A-4"]);
    assert_eq!((&first["offer"]["amount"], &first["position"]), (&json!(9600), &Value::Null));

    // The offer is a hold like any other, and nobody else's.
    let hold = ada
        .get(&format!("/v1/holds/{}", first["offer"]["hold_id"].as_str().expect("a hold")))
        .await
        .expect(200);
    assert_eq!(hold["status"], "held");
    let theirs = json!({ "hold_id": second["offer"]["hold_id"] });
    assert_eq!(ada.post("/v1/orders", theirs).await.status, 404);
    let bought = ada.takes_up(&first).await;
    holdfast.pay(&bought, GOOD_CARD).await.expect(200);
    ada.sees(&bought, "confirmed").await;
    assert_eq!(ada.entry(&first).await["offer"]["order_id"], bought["id"]);
    assert_eq!(ada.entry(&first).await["status"], "served");
    assert!(holdfast.seen_free_since(event, &from).await.is_empty(), "the public saw them free");
    let taken = ada.leaves(&first).await;
    assert_eq!((taken.status, taken.code()), (409, "order_state"));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_does_not_fit_is_passed_over_and_keeps_its_place() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.small_hall(1000, &[3, 1]).await;
    let (big, small) = (holdfast.customer().await, holdfast.customer().await);
    let row = holdfast.sold(&holdfast.customer().await, event, &["hall-A-1", "hall-A-2", "hall-A-3"]).await;
    let owner = holdfast.customer().await;
    let single = holdfast.sold(&owner, event, &["hall-B-1"]).await;
    let (three, one) = (big.waits_for(event, 3).await, small.waits_for(event, 1).await);

    owner.cancels(&single).await.expect(200);
    assert_eq!(offered(&small.is(&one, "offered").await), ["hall-B-1"]);
    let still = big.entry(&three).await;
    assert_eq!((&still["status"], &still["position"]), (&json!("waiting"), &json!(1)));

    holdfast.organiser().post(&format!("/v1/admin/orders/{}/refund", id(&row)), json!({})).await.expect(200);
    assert_eq!(offered(&big.is(&three, "offered").await), ["hall-A-1", "hall-A-2", "hall-A-3"]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_that_nobody_on_the_list_can_use_are_everybodys() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.small_hall(1000, &[2, 1]).await;
    holdfast.sold(&holdfast.customer().await, event, &["hall-A-1", "hall-A-2"]).await;
    let owner = holdfast.customer().await;
    let single = holdfast.sold(&owner, event, &["hall-B-1"]).await;
    let pair = holdfast.customer().await;
    let waits = pair.waits_for(event, 2).await;
    owner.cancels(&single).await.expect(200);
    let public = holdfast.customer().await;
    public.sees_seat(event, "hall-B-1", "free").await;
    public.holds_seats(event, &["hall-B-1"]).await.expect(201);
    assert_eq!(pair.entry(&waits).await["status"], "waiting");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_for_a_section_a_category_and_a_price_are_honoured() {
    let holdfast = Holdfast::start().await;
    let row = |name: &str| json!([{ "name": name, "seats": 2 }]);
    let event = holdfast
        .event(json!({
            "title": "Two Tiers", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur", "orphan_rule": false,
            "categories": [{ "key": "gold", "price": 5000 }, { "key": "tin", "price": 1000 }],
            "sections": [{ "key": "stalls", "category": "gold", "rows": row("A") },
                         { "key": "balcony", "category": "tin", "rows": row("A") }],
            "areas": [{ "key": "floor", "category": "tin", "capacity": 2 }],
        }))
        .await;
    let owner = holdfast.customer().await;
    let all = owner
        .holds(event, json!({ "seats": ["stalls-A-1", "stalls-A-2", "balcony-A-1", "balcony-A-2"], "areas": { "floor": 2 } }))
        .await
        .expect(201);
    let wishes = [
        json!({ "quantity": 2, "max_price": 999 }),
        json!({ "quantity": 2, "section": "nowhere" }),
        json!({ "quantity": 2, "category": "gold", "section": "balcony" }),
        json!({ "quantity": 3 }),
        json!({ "quantity": 0 }),
    ];
    for wish in wishes {
        let refused = owner.joins(event, wish.clone()).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_request"), "{wish}");
    }
    let mut parties = Vec::new();
    for wish in [
        json!({ "quantity": 2, "section": "floor" }),
        json!({ "quantity": 2, "max_price": 1000 }),
        json!({ "quantity": 2, "category": "gold" }),
    ] {
        let party = holdfast.customer().await;
        let entry = party.joins(event, wish).await.expect(201);
        parties.push((party, entry));
    }
    owner.delete(&format!("/v1/holds/{}", id(&all))).await.expect(204);
    let mut got = Vec::new();
    for (party, entry) in &parties {
        got.push(offered(&party.is(entry, "offered").await));
    }
    assert_eq!(got, [["floor-1", "floor-2"], ["balcony-A-1", "balcony-A-2"], ["stalls-A-1", "stalls-A-2"]]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_declined_or_not_answered_goes_to_the_next_at_once() {
    let holdfast = Holdfast::with(|config| config.offer_seconds = 2).await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let people = [holdfast.customer().await, holdfast.customer().await, holdfast.customer().await];
    let mut entries = Vec::new();
    for person in &people {
        entries.push(person.waits_for(event, 4).await);
    }
    let from = holdfast.feed_end(event).await;
    buyer.cancels(&order).await.expect(200);
    let first = people[0].is(&entries[0], "offered").await;
    people[0].leaves(&first).await.expect(204);
    people[0].leaves(&first).await.expect(204);
    assert_eq!(people[0].entry(&first).await["status"], "declined");
    let late = people[0].post("/v1/orders", json!({ "hold_id": first["offer"]["hold_id"] })).await;
    assert_eq!((late.status, late.code()), (410, "hold_expired"));

    people[1].is(&entries[1], "offered").await;
    // Nobody answers: two seconds later it is over.
    people[1].is(&entries[1], "lapsed").await;
    let third = people[2].is(&entries[2], "offered").await;
    assert!(holdfast.seen_free_since(event, &from).await.is_empty(), "the public saw them free");
    // Letting go of the hold is an answer, too; and with nobody left, the seats are everybody's.
    let hold = third["offer"]["hold_id"].as_str().expect("a hold");
    people[2].delete(&format!("/v1/holds/{hold}")).await.expect(204);
    people[2].is(&entries[2], "declined").await;
    people[2].sees_seat(event, "hall-A-1", "free").await;
    holdfast.the_list_is_empty(event).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_makes_room_in_the_line() {
    let holdfast = Holdfast::start().await;
    let (event, ..) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (first, second) = (ada.waits_for(event, 1).await, ben.waits_for(event, 1).await);
    assert_eq!(ben.leaves(&first).await.status, 404, "that is not theirs");
    ada.leaves(&first).await.expect(204);
    assert_eq!(ben.entry(&second).await["position"], 1);
    let list = holdfast.organiser().get(&format!("/v1/admin/events/{event}/waitlist")).await.expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["items"][0]["customer_name"], "A customer");
    let all =
        holdfast.organiser().get(&format!("/v1/admin/events/{event}/waitlist?all=true")).await.expect(200);
    assert_eq!((&all["items"][0]["status"], &all["items"][0]["position"]), (&json!("left"), &Value::Null));
    let stranger = holdfast.another_organiser().await;
    assert_eq!(stranger.get(&format!("/v1/admin/events/{event}/waitlist")).await.status, 404);
    assert_eq!(stranger.delete(&format!("/v1/admin/waitlist/{}", id(&second))).await.status, 404);
    // One may come again, at the end.
    assert_eq!(ada.waits_for(event, 1).await["position"], 2);
    holdfast.organiser().delete(&format!("/v1/admin/waitlist/{}", id(&second))).await.expect(204);
    assert_eq!(ben.entry(&second).await["status"], "left");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_to_be_paid_the_offer_confirms_itself() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.small_hall(0, &[2]).await;
    let buyer = holdfast.customer().await;
    let order = buyer.orders(event, &["hall-A-1", "hall-A-2"]).await;
    assert_eq!(order["status"], "confirmed");
    let ada = holdfast.customer().await;
    let entry = ada.waits_for(event, 2).await;
    buyer.cancels(&order).await.expect(200);
    let served = ada.is(&entry, "served").await;
    let own = ada.get("/v1/orders").await.expect(200);
    assert_eq!(
        (&own["items"][0]["status"], &own["items"][0]["id"]),
        (&json!("confirmed"), &served["offer"]["order_id"])
    );
    assert_eq!(own["items"][0]["tickets"].as_array().map(Vec::len), Some(2));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_closes_before_the_event_and_with_it() {
    let holdfast = Holdfast::start().await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let ada = holdfast.customer().await;
    let entry = ada.waits_for(event, 1).await;
    let soon = time::OffsetDateTime::now_utc() + time::Duration::minutes(30);
    let soon = soon.format(&time::format_description::well_known::Rfc3339).expect("a time");
    holdfast
        .organiser()
        .patch(&format!("/v1/admin/events/{event}"), json!({ "starts_at": soon }))
        .await
        .expect(200);
    ada.is(&entry, "closed").await;
    let late = ada.joins(event, json!({ "quantity": 1 })).await;
    assert_eq!((late.status, late.code()), (409, "waitlist_closed"));
    let told = ada.holds(event, json!({ "best": { "quantity": 1 }, "if_sold_out": "join_waitlist" })).await;
    assert_eq!((told.code(), &told.body["waitlist_open"]), ("sold_out", &json!(false)));
    // What comes free now is everybody's.
    buyer.cancels(&order).await.expect(200);
    ada.sees_seat(event, "hall-A-1", "free").await;
    // Later again, with a shorter cut-off.
    holdfast
        .organiser()
        .patch(&format!("/v1/admin/events/{event}"), json!({ "waitlist_cutoff_seconds": 60 }))
        .await
        .expect(200);
    ada.waits_for(event, 1).await;
    holdfast
        .organiser()
        .patch(&format!("/v1/admin/events/{event}"), json!({ "waitlist": false }))
        .await
        .expect(200);
    assert_eq!(ada.get(&format!("/v1/events/{event}")).await.expect(200)["waitlist_open"], false);
    holdfast.the_list_is_empty(event).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_and_the_order_of_the_list_survive_the_loss_of_redis_and_of_the_node() {
    let mut holdfast = Holdfast::start().await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (first, second) = (ada.waits_for(event, 2).await, ben.waits_for(event, 4).await);
    buyer.cancels(&order).await.expect(200);
    let first = ada.is(&first, "offered").await;
    let seats = offered(&first);
    holdfast.dies_and_comes_back().await;
    holdfast.flush_redis().await;
    eventually("the offer is held again", async || {
        let hold = ada.get(&format!("/v1/holds/{}", first["offer"]["hold_id"].as_str()?)).await;
        (hold.status == 200).then_some(())
    })
    .await;
    assert_eq!(ada.state_of(event, &seats[0]).await, "held");
    let bought = ada.takes_up(&first).await;
    holdfast.pay(&bought, GOOD_CARD).await.expect(200);
    ada.sees(&bought, "confirmed").await;
    assert_eq!(ben.entry(&second).await["position"], 1);
    ada.cancels(&bought).await.expect(200);
    ben.is(&second, "offered").await;
    holdfast.every_invariant_holds().await;
}
