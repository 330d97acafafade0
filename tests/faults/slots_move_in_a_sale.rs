//! The slot of an event moves from master to master while its seats are sold: no answer is wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::stand::{Database, House, Memory, Person, Topology, eventually};

fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}

async fn holds(person: &Person, event: &Value, seat: &str) -> Option<crate::stand::Answer> {
    let path = format!("/v1/events/{}/holds", id(event));
    person.asks("POST", &path, Some(&json!({ "seats": [seat] })), Uuid::now_v7()).await
}

async fn buys(house: &House, person: &Person, event: &Value, seat: &str) {
    let hold = eventually(&format!("{seat} is held"), async || {
        holds(person, event, seat).await.filter(|answer| answer.status == 201)
    })
    .await;
    let order = person.insists("POST", "/v1/orders", json!({ "hold_id": hold.body["id"] })).await;
    assert_eq!(order.status, 201, "{}", order.body);
    house.pay(&order.body, "pm_card_visa").unwrap();
    let path = format!("/v1/orders/{}", id(&order.body));
    eventually("the order is confirmed", async || {
        let now = person.insists("GET", &path, None).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
}

async fn every_promise_holds(house: &House, database: &Database, memory: &Memory) {
    eventually("every promise holds", async || {
        house.audit(database, memory, 0).await.status.success().then_some(())
    })
    .await;
    assert!(house.homeless_money(&house.pg(database)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_in_a_sale_takes_no_seat_with_it() {
    let (mut memory, database) = (Memory::start(Topology::Cluster).await, Database::start().await);
    let house = House::open("slots", &database, &memory, 0, |settings| settings).await;
    let mut nodes = [house.node("first"), house.node("second")];
    for node in &mut nodes {
        node.start().await;
    }
    house.is_served_by(&[&nodes[0], &nodes[1]]).await;
    let event = house.theatre(3).await;
    let pg = house.pg(&database);
    let (ada, ben, eve) = (house.customer(&pg).await, house.customer(&pg).await, house.customer(&pg).await);
    let kept = holds(&ada, &event, "stalls-1-1").await.expect("an answer");
    assert_eq!(kept.status, 201, "{}", kept.body);

    let moved = AtomicBool::new(false);
    let tag = format!("{{{}}}", id(&event));
    let ((), tried, bought) = tokio::join!(
        async {
            for turn in 0..6 {
                memory.move_slot(&tag, &mut || turn).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            moved.store(true, Ordering::Relaxed);
        },
        async {
            // Somebody wants the seat all the time and never gets it.
            let mut tried = 0;
            while !moved.load(Ordering::Relaxed) {
                if let Some(answer) = holds(&ben, &event, "stalls-1-1").await {
                    assert!(matches!(answer.status, 409 | 503), "{}", answer.body);
                    tried += 1;
                }
            }
            tried
        },
        async {
            let mut bought = 0;
            while !moved.load(Ordering::Relaxed) && bought < 16 {
                let seat = format!("stalls-{}-{}", bought / 8 + 2, bought % 8 + 1);
                buys(&house, &eve, &event, &seat).await;
                bought += 1;
            }
            bought
        },
    );
    assert!(tried > 0 && bought > 0, "{tried} {bought}");
    let order = ada.insists("POST", "/v1/orders", json!({ "hold_id": kept.body["id"] })).await;
    assert_eq!(order.status, 201, "it is still hers: {}", order.body);
    house.pay(&order.body, "pm_card_visa").unwrap();
    memory.heal().await;
    every_promise_holds(&house, &database, &memory).await;
    for node in &mut nodes {
        node.stop();
    }
}
