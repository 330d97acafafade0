//! Stories of an organiser who takes seats out of the sale, gives some away and gives money back.

use serde_json::{Value, json};

use super::{Ending, PRICE, hall, id};
use crate::crash_matrix::stage::{Stage, eventually};

const SEAT: &str = "stalls-1-1";
/// What of a price goes back.
const PART: i64 = 1000;

pub async fn blocks_a_seat(stage: &Stage, comes_back: bool) -> Ending {
    let event = stage.opens(hall(4)).await;
    let ada = stage.customer();
    let organiser = stage.house.organiser();
    let [block, unblock] =
        ["block", "unblock"].map(|what| format!("/v1/admin/events/{}/seats/{what}", id(&event)));
    let wish = json!({ "seats": [SEAT], "reason": "a camera" });
    stage.act("blocks");
    if comes_back {
        let blocked = stage.call(&organiser, "POST", &block, wish.clone()).await;
        assert_eq!(blocked.status, 200, "{}", blocked.body);
        stage.act("somebody else tries");
        let path = format!("/v1/events/{}/holds", id(&event));
        let tried = stage.call(&ada, "POST", &path, json!({ "seats": [SEAT] })).await;
        assert_eq!((tried.status, tried.code()), (409, "seats_unavailable"), "{}", tried.body);
    } else {
        stage.call_once(&organiser, "POST", &block, wish.clone()).await;
    }
    stage.act("puts it back");
    if comes_back {
        let free = stage.call(&organiser, "POST", &unblock, wish).await;
        assert_eq!(free.status, 200, "{}", free.body);
    } else {
        stage.call_once(&organiser, "POST", &unblock, wish.clone()).await;
        if is_blocked(stage).await {
            // It died before anything was decided; somebody else of the house does it.
            stage.call(&organiser, "POST", &unblock, wish).await;
        }
    }
    let order = stage.gets(&ada, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "confirmed")
}

async fn is_blocked(stage: &Stage) -> bool {
    let question = "select count(*) from seat_claims where state = 'blocked'";
    eventually("Postgres says what is blocked", async || stage.count(question).await).await > 0
}

/// One seat that was kept for guests and one that is free, to somebody who has an account.
pub async fn gives_seats(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let ada = stage.customer();
    let organiser = stage.house.organiser();
    let path = format!("/v1/admin/events/{}", id(&event));
    stage.act("blocks");
    let wish = json!({ "seats": [SEAT], "reason": "guests" });
    let blocked = stage.call(&organiser, "POST", &format!("{path}/seats/block"), wish).await;
    assert_eq!(blocked.status, 200, "{}", blocked.body);
    let email = stage.address_of(&ada).await;
    stage.act("gives");
    let gift = json!({ "seats": [SEAT, "stalls-1-2"], "name": "Ada", "email": email, "reason": "press" });
    let order = stage.call(&organiser, "POST", &format!("{path}/comps"), gift).await;
    assert_eq!(order.status, 201, "{}", order.body);
    let order = stage.sees(&ada, &order.body, "confirmed").await;
    assert_eq!(order["amount"], 0, "{order}");
    Ending::of(&event).sold(SEAT).sold("stalls-1-2").order(&ada, &order, "confirmed")
}

pub async fn gives_a_part_back(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let ada = stage.customer();
    let order = stage.buys(&ada, &event, SEAT).await;
    let path = format!("/v1/admin/orders/{}/refund", id(&order));
    stage.act("gives a part back");
    let wish = json!({ "amount": PART, "reason": "a pillar" });
    let answer = stage.call(&stage.house.organiser(), "POST", &path, wish).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let parts = eventually("the part is back", async || {
        let now = stage.get(&ada, &format!("/v1/orders/{}", id(&order))).await;
        let refunds = now["refunds"].as_array().cloned().unwrap_or_default();
        refunds.iter().any(|part| part["status"] == "succeeded").then_some(refunds)
    })
    .await;
    let amounts: Vec<&Value> = parts.iter().map(|part| &part["amount"]).collect();
    assert_eq!(amounts, [&json!(PART)], "of {PRICE}, once");
    Ending::of(&event).sold(SEAT).order(&ada, &order, "confirmed")
}
