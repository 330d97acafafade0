//! Stories of seats that are given up, and of who gets them then.

use serde_json::{Value, json};

use super::{BAD_CARD, Ending, hall, id};
use crate::crash_matrix::stage::{Stage, eventually};
use crate::stand::Person;

const SEAT: &str = "stalls-1-1";

/// One try at each step, and none after the first that is not answered.
pub async fn walks_away(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    stage.act("holds");
    let path = format!("/v1/events/{}/holds", id(&event));
    let hold = stage.call_once(&ada, "POST", &path, json!({ "seats": [SEAT] })).await;
    if let Some(hold) = hold.filter(|hold| hold.status == 201) {
        stage.act("checks out");
        stage.call_once(&ada, "POST", "/v1/orders", json!({ "hold_id": hold.body["id"] })).await;
    }
    stage.act("time passes");
    let theirs = stage.gets(&ben, &event, SEAT).await;
    let ending = Ending::of(&event).sold(SEAT).order(&ben, &theirs, "confirmed");
    // Whatever became of the only try: it does not stand any more.
    match own_order(stage, &ada).await {
        Some(order) => {
            let order = stage.sees(&ada, &order, "expired").await;
            ending.order(&ada, &order, "expired")
        }
        None => ending,
    }
}

pub async fn is_declined(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.orders(&ada, &event, SEAT).await;
    stage.act("is declined");
    assert!(stage.house.pay(&order, BAD_CARD).is_err(), "the card is declined");
    let order = stage.sees(&ada, &order, "failed").await;
    let theirs = stage.gets(&ben, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "failed").order(&ben, &theirs, "confirmed")
}

pub async fn calls_off_unpaid(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.orders(&ada, &event, SEAT).await;
    cancels(stage, &ada, &order).await;
    let order = stage.sees(&ada, &order, "cancelled").await;
    let theirs = stage.gets(&ben, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "cancelled").order(&ben, &theirs, "confirmed")
}

pub async fn calls_it_off(stage: &Stage, comes_back: bool) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.buys(&ada, &event, SEAT).await;
    if comes_back {
        cancels(stage, &ada, &order).await;
    } else {
        stage.act("calls it off");
        let path = format!("/v1/orders/{}/cancel", id(&order));
        stage.call_once(&ada, "POST", &path, json!({})).await;
        if !was_called_off(stage, &order).await {
            // It died before anything was decided, and nobody asked again: the sale stands.
            return Ending::of(&event).sold(SEAT).order(&ada, &order, "confirmed");
        }
    }
    let order = stage.sees(&ada, &order, "refunded").await;
    let refunds: Vec<_> =
        order["refunds"].as_array().expect("refunds").iter().map(|one| &one["amount"]).collect();
    assert_eq!(refunds, [&json!(super::PRICE)], "the money goes back, once: {order}");
    let theirs = stage.gets(&ben, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&ben, &theirs, "confirmed")
}

/// An event with one order that is paid and one that is not.
pub async fn house_cancels(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let paid = stage.buys(&ada, &event, SEAT).await;
    let open = stage.orders(&ben, &event, "stalls-1-2").await;
    stage.act("the house cancels");
    let path = format!("/v1/admin/events/{}/cancel", id(&event));
    let cancelled = stage.call(&stage.house.organiser(), "POST", &path, json!({})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let paid = stage.sees(&ada, &paid, "refunded").await;
    let open = stage.sees(&ben, &open, "cancelled").await;
    assert!(stage.house.pay(&open, super::CARD).is_err(), "nobody can pay for it any more");
    Ending::of(&event).order(&ada, &paid, "refunded").order(&ben, &open, "cancelled")
}

async fn cancels(stage: &Stage, who: &Person, order: &Value) {
    stage.act("calls it off");
    let path = format!("/v1/orders/{}/cancel", id(order));
    let answer = stage.call(who, "POST", &path, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn was_called_off(stage: &Stage, order: &Value) -> bool {
    eventually("Postgres says how the order stands", async || {
        sqlx::query_as("select state <> 'confirmed' from orders where id = $1::uuid")
            .bind(id(order))
            .fetch_one(&stage.pg)
            .await
            .ok()
            .map(|(called_off,): (bool,)| called_off)
    })
    .await
}

async fn own_order(stage: &Stage, who: &Person) -> Option<Value> {
    let orders = stage.get(who, "/v1/orders").await;
    let items = orders["items"].as_array().expect("a list");
    assert!(items.len() <= 1, "one try makes one order: {orders}");
    items.first().cloned()
}
