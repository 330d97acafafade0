//! Stories of those who wait for a seat that is sold.

use serde_json::{Value, json};

use super::{Ending, hall, id};
use crate::crash_matrix::stage::{Stage, eventually};
use crate::stand::Person;

pub const SEAT: &str = "stalls-1-1";

pub async fn waits_for_a_seat(stage: &Stage) -> Ending {
    let (event, ada, order) = sold_out(stage).await;
    let (ben, cleo) = (stage.customer(), stage.customer());
    let first = joins(stage, &ben, &event).await;
    let second = joins(stage, &cleo, &event).await;
    gives_back(stage, &ada, &order).await;
    let theirs = takes_up(stage, &ben, &first).await;
    let still = entry(stage, &cleo, &second).await;
    assert_eq!((&still["status"], &still["position"]), (&json!("waiting"), &json!(1)), "{still}");
    stage.act("the last one leaves");
    leaves(stage, &cleo, &second).await;
    let order = stage.sees(&ada, &order, "refunded").await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&ben, &theirs, "confirmed")
}

pub async fn lets_an_offer_lapse(stage: &Stage) -> Ending {
    let (event, ada, order) = sold_out(stage).await;
    let (ben, cleo) = (stage.customer(), stage.customer());
    let first = joins(stage, &ben, &event).await;
    let second = joins(stage, &cleo, &event).await;
    gives_back(stage, &ada, &order).await;
    stage.act("nobody answers");
    let theirs = takes_up(stage, &cleo, &second).await;
    let gone = entry(stage, &ben, &first).await;
    assert_eq!(gone["status"], "lapsed", "{gone}");
    let order = stage.sees(&ada, &order, "refunded").await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&cleo, &theirs, "confirmed")
}

pub async fn lets_the_last_offer_lapse(stage: &Stage) -> Ending {
    let (event, ada, order) = sold_out(stage).await;
    let (ben, cleo) = (stage.customer(), stage.customer());
    let party = joins(stage, &ben, &event).await;
    gives_back(stage, &ada, &order).await;
    stage.act("nobody answers");
    eventually("the offer has lapsed", async || {
        (entry(stage, &ben, &party).await["status"] == "lapsed").then_some(())
    })
    .await;
    let theirs = stage.gets(&cleo, &event, SEAT).await;
    let order = stage.sees(&ada, &order, "refunded").await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&cleo, &theirs, "confirmed")
}

/// The first in line says no, and the second gets the seat at once.
pub async fn declines_an_offer(stage: &Stage) -> Ending {
    let (event, ada, order) = sold_out(stage).await;
    let (ben, cleo) = (stage.customer(), stage.customer());
    let first = joins(stage, &ben, &event).await;
    let second = joins(stage, &cleo, &event).await;
    gives_back(stage, &ada, &order).await;
    eventually("the first is asked", async || {
        (entry(stage, &ben, &first).await["status"] == "offered").then_some(())
    })
    .await;
    stage.act("declines");
    leaves(stage, &ben, &first).await;
    let theirs = takes_up(stage, &cleo, &second).await;
    let gone = entry(stage, &ben, &first).await;
    assert_eq!(gone["status"], "declined", "{gone}");
    let order = stage.sees(&ada, &order, "refunded").await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&cleo, &theirs, "confirmed")
}

/// The first in line leaves in the moment in which the seat is being written down as theirs.
pub async fn leaves_while_asked(stage: &Stage) -> Ending {
    let (event, ada, order) = sold_out(stage).await;
    let (ben, cleo) = (stage.customer(), stage.customer());
    let first = joins(stage, &ben, &event).await;
    let second = joins(stage, &cleo, &event).await;
    let mut tx = stage.pg.begin().await.expect("a transaction");
    let lock = "select from waitlist where id = $1::uuid for update";
    sqlx::query(lock).bind(id(&first)).execute(&mut *tx).await.expect("a lock");
    gives_back(stage, &ada, &order).await;
    let waits = "select count(*) from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock' and query like 'update waitlist%'";
    eventually("the offer is about to be written down", async || {
        (stage.count(waits).await? > 0).then_some(())
    })
    .await;
    stage.act("leaves");
    for statement in LEAVES {
        sqlx::query(statement).bind(id(&first)).execute(&mut *tx).await.expect("a change");
    }
    tx.commit().await.expect("committed");
    let theirs = takes_up(stage, &cleo, &second).await;
    let order = stage.sees(&ada, &order, "refunded").await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&cleo, &theirs, "confirmed")
}

/// A party that still waits leaves, as a node does it that hears of it.
pub const LEAVES: [&str; 2] = [
    "insert into waitlist_log (event_id, entry_id, step, from_state, to_state, cause, actor)
     select event_id, id, 2, 'waiting', 'left', 'leaves', account_id::text from waitlist where id = $1::uuid",
    "update waitlist set state = 'left' where id = $1::uuid and state = 'waiting'",
];

/// The first in line has as many seats as anybody may have, so the second is asked.
pub async fn is_passed_over(stage: &Stage) -> Ending {
    let event = stage.opens(hall(3)).await;
    let [ada, ben, cleo] = [stage.customer(), stage.customer(), stage.customer()];
    let order = stage.buys(&ada, &event, SEAT).await;
    let one = stage.buys(&ben, &event, "stalls-1-2").await;
    let other = stage.buys(&ben, &event, "stalls-1-3").await;
    let first = joins(stage, &ben, &event).await;
    let second = joins(stage, &cleo, &event).await;
    gives_back(stage, &ada, &order).await;
    let theirs = takes_up(stage, &cleo, &second).await;
    let still = entry(stage, &ben, &first).await;
    assert_eq!(still["status"], "waiting", "{still}");
    stage.act("the last one leaves");
    leaves(stage, &ben, &first).await;
    let order = stage.sees(&ada, &order, "refunded").await;
    Ending::of(&event)
        .sold(SEAT)
        .sold("stalls-1-2")
        .sold("stalls-1-3")
        .order(&ada, &order, "refunded")
        .order(&ben, &one, "confirmed")
        .order(&ben, &other, "confirmed")
        .order(&cleo, &theirs, "confirmed")
}

/// The event is called off while somebody waits.
pub async fn waits_in_vain(stage: &Stage) -> Ending {
    let (event, ada, order) = sold_out(stage).await;
    let ben = stage.customer();
    let party = joins(stage, &ben, &event).await;
    stage.act("the house cancels");
    let path = format!("/v1/admin/events/{}/cancel", id(&event));
    let cancelled = stage.call(&stage.house.organiser(), "POST", &path, json!({})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let order = stage.sees(&ada, &order, "refunded").await;
    eventually("the list is closed", async || {
        (entry(stage, &ben, &party).await["status"] == "closed").then_some(())
    })
    .await;
    Ending::of(&event).order(&ada, &order, "refunded")
}

async fn leaves(stage: &Stage, who: &Person, party: &Value) {
    let left = stage.call(who, "DELETE", &format!("/v1/waitlist/{}", id(party)), None).await;
    assert_eq!(left.status, 204, "{}", left.body);
}

/// An event of one seat, and who has it.
pub async fn sold_out(stage: &Stage) -> (Value, Person, Value) {
    let event = stage.opens(hall(1)).await;
    let ada = stage.customer();
    let order = stage.buys(&ada, &event, SEAT).await;
    (event, ada, order)
}

pub async fn joins(stage: &Stage, who: &Person, event: &Value) -> Value {
    stage.act("joins the list");
    let path = format!("/v1/events/{}/waitlist", id(event));
    let entry = stage.call(who, "POST", &path, json!({ "quantity": 1 })).await;
    assert_eq!(entry.status, 201, "{}", entry.body);
    entry.body
}

async fn gives_back(stage: &Stage, who: &Person, order: &Value) {
    stage.act("calls it off");
    let path = format!("/v1/orders/{}/cancel", id(order));
    let answer = stage.call(who, "POST", &path, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn entry(stage: &Stage, who: &Person, entry: &Value) -> Value {
    let list = stage.get(who, "/v1/waitlist").await;
    let mut items = list["items"].as_array().expect("a list").iter();
    items.find(|item| item["id"] == entry["id"]).expect("one's own entry").clone()
}

/// Waits to be offered the seat, and buys it at once.
pub async fn takes_up(stage: &Stage, who: &Person, party: &Value) -> Value {
    let order = eventually("an offer can be checked out", async || {
        let now = entry(stage, who, party).await;
        assert!(now["status"] == "waiting" || now["status"] == "offered", "{now}");
        let hold = now["offer"]["hold_id"].as_str()?;
        stage.act("takes the offer up");
        let order = stage.call(who, "POST", "/v1/orders", json!({ "hold_id": hold })).await;
        if order.status != 201 {
            // A Redis that was lost in between has the offer again when its picture is rebuilt.
            assert!(stage.forgets, "an offer that stands can be taken up: {}", order.body);
            return None;
        }
        Some(order.body)
    })
    .await;
    stage.pays(&order);
    stage.sees(who, &order, "confirmed").await
}
