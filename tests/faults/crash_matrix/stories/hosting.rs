//! Stories of an organiser and of the picture that everybody sees.

use holdfast::ids::EventId;
use holdfast::seats::keys::Keys;
use serde_json::{Value, json};

use super::{Ending, PRICE, hall, id};
use crate::crash_matrix::stage::{Stage, eventually};

pub async fn opens_a_sale(stage: &Stage, comes_back: bool) -> Ending {
    let event = if comes_back {
        stage.opens(hall(4)).await
    } else {
        stage.act("opens");
        let organiser = stage.house.organiser();
        stage.call_once(&organiser, "POST", "/v1/admin/events", hall(4)).await;
        let events = stage.get(&organiser, "/v1/events").await;
        match events["items"].as_array().expect("a list").first() {
            Some(event) => event.clone(),
            // It died before anything was decided, and nobody asked again.
            None => return Ending::default(),
        }
    };
    let ada = stage.customer();
    let order = stage.buys(&ada, &event, "stalls-1-1").await;
    Ending::of(&event).sold("stalls-1-1").order(&ada, &order, "confirmed")
}

/// The picture is lost with one seat sold, one at checkout and one held by somebody who then has to choose again.
pub async fn rebuilds_the_picture(stage: &Stage) -> Ending {
    let mut form = hall(4);
    // Large enough to be loaded in two parts.
    form["areas"] = json!([{ "key": "floor", "name": "Floor", "category": "gold", "capacity": 4500 }]);
    let event = stage.opens(form).await;
    let [ada, ben, cleo] = [stage.customer(), stage.customer(), stage.customer()];
    let sold = stage.buys(&ada, &event, "stalls-1-1").await;
    let open = stage.orders(&ben, &event, "stalls-1-2").await;
    stage.holds(&cleo, &event, "stalls-1-3").await;

    stage.act("the picture is lost");
    loses_its_picture(stage, &event).await;
    let path = format!("/v1/events/{}/holds", id(&event));
    for (seat, reason) in [("stalls-1-1", "sold"), ("stalls-1-2", "held")] {
        let tried = stage.call(&cleo, "POST", &path, json!({ "seats": [seat] })).await;
        assert_eq!(
            (tried.status, &tried.body["seats"][0]["reason"]),
            (409, &json!(reason)),
            "{}",
            tried.body
        );
    }
    let theirs = stage.buys(&cleo, &event, "stalls-1-4").await;
    stage.pays(&open);
    let open = stage.sees(&ben, &open, "confirmed").await;
    assert_eq!(open["amount"], PRICE);
    Ending::of(&event)
        .sold("stalls-1-1")
        .sold("stalls-1-2")
        .sold("stalls-1-4")
        .order(&ada, &sold, "confirmed")
        .order(&ben, &open, "confirmed")
        .order(&cleo, &theirs, "confirmed")
}

async fn loses_its_picture(stage: &Stage, event: &Value) {
    let event: EventId = id(event).parse().expect("an id");
    eventually("Redis has forgotten the event", async || {
        let mut redis = stage.redis.clone();
        let mut forget = redis::cmd("UNLINK");
        forget.arg(&Keys::of(event).shared());
        forget.query_async::<i64>(&mut redis).await.ok()
    })
    .await;
}

pub async fn moves_a_ticket(stage: &Stage, comes_back: bool) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.buys(&ada, &event, "stalls-1-1").await;
    let path = format!("/v1/admin/tickets/{}/move", id(&order["tickets"][0]));
    let wish = json!({ "seat": "stalls-1-3", "reason": "a broken seat" });
    stage.act("moves");
    if comes_back {
        let moved = stage.call(&stage.house.organiser(), "POST", &path, wish).await;
        assert_eq!(moved.status, 200, "{}", moved.body);
    } else {
        stage.call_once(&stage.house.organiser(), "POST", &path, wish).await;
    }
    let order = stage.sees(&ada, &order, "confirmed").await;
    let seat = order["tickets"][0]["seat_id"].as_str().expect("a seat").to_owned();
    assert!(!comes_back || seat == "stalls-1-3", "{order}");
    assert_eq!(order["tickets"].as_array().map(Vec::len), Some(1), "{order}");
    // The seat that it left, or never went to, is everybody's.
    let other = if seat == "stalls-1-3" { "stalls-1-1" } else { "stalls-1-3" };
    let theirs = stage.gets(&ben, &event, other).await;
    Ending::of(&event).sold(&seat).sold(other).order(&ada, &order, "confirmed").order(
        &ben,
        &theirs,
        "confirmed",
    )
}
