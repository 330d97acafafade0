//! A node dies between granting seats to a waiting party and writing that down, and the party leaves before anybody else
//! looks: nobody knows of the offer but Redis. The seats must not wait for the end of an offer that nobody can take.

use std::time::{Duration, Instant};

use holdfast::proof::{Fate, STOP_AT, Side, Step, Stop};
use serde_json::Value;

use super::afterwards::all_is_as_promised;
use super::stage::{Stage, Stand, eventually};
use super::stories::{Ending, id, waiting};
use crate::stand::{Node, Topology};

/// As long as an offer lasts by default; whoever waits must not have to wait for its end.
const OFFER_SECONDS: u64 = 1800;
/// Two passes of the reconciler, and a busy machine's share.
const SOON: Duration = Duration::from_secs(40);

/// A sold-out event whose only seat comes back, two parties that wait for it, and the first leaves in the one moment.
async fn leaves_unseen(somebody_waits: bool) {
    let stand = Stand::start(Topology::Single).await;
    let settings = |settings: crate::stand::NodeSettings| settings.with("OFFER_SECONDS", OFFER_SECONDS);
    let stage = Stage::open(&stand, "house", 1, (false, ""), settings).await;
    // Whoever gets here has been granted seats.
    let stop = Stop { step: Step::NoteOffer, side: Side::Before, fate: Fate::Die, nth: 1 };
    let mut victim =
        Node::new(&stage.house.folder, "victim", stage.house.settings.clone().with(STOP_AT, stop));
    victim.start().await;
    stage.house.is_served_by(&[&victim]).await;
    stage.is_listened_to().await;

    let (event, ada, order) = waiting::sold_out(&stage).await;
    let (ben, cleo) = (stage.customer(), stage.customer());
    let first = waiting::joins(&stage, &ben, &event).await;
    let second = if somebody_waits { Some(waiting::joins(&stage, &cleo, &event).await) } else { None };
    stage.act("calls it off");
    let path = format!("/v1/orders/{}/cancel", id(&order));
    stage.call_once(&ada, "POST", &path, serde_json::json!({})).await;
    eventually("the node is dead", async || (!victim.runs()).then_some(())).await;
    leaves(&stage, &first).await;

    let mut rescuer = Node::new(&stage.house.folder, "rescuer", stage.house.settings.clone());
    rescuer.start().await;
    stage.house.is_served_by(&[&rescuer]).await;
    let back = Instant::now();
    let theirs = match &second {
        Some(second) => waiting::takes_up(&stage, &cleo, second).await,
        None => stage.gets(&cleo, &event, waiting::SEAT).await,
    };
    let took = back.elapsed();
    assert!(took < SOON, "{stop}: the seat came back after {took:?}, see {}", stage.logs().display());
    let order = stage.sees(&ada, &order, "refunded").await;
    let ending = Ending::of(&event).sold(waiting::SEAT).order(&ada, &order, "refunded");
    all_is_as_promised(&stage, &ending.order(&cleo, &theirs, "confirmed")).await;
    rescuer.kill();
}

/// As a node does it that hears of it in this moment, and that dies right afterwards.
async fn leaves(stage: &Stage, party: &Value) {
    let mut tx = stage.pg.begin().await.expect("a transaction");
    for statement in waiting::LEAVES {
        let done = sqlx::query(statement).bind(id(party)).execute(&mut *tx).await.expect("a change");
        assert_eq!(done.rows_affected(), 1, "it still waited");
    }
    tx.commit().await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_was_granted_to_a_party_that_left_goes_to_the_next() {
    leaves_unseen(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_was_granted_to_the_last_party_that_left_goes_to_the_public() {
    leaves_unseen(false).await;
}
