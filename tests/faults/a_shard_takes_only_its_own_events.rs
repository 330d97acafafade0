//! On a Cluster, a shard that is lost takes only its own events with it: the others sell, and are rebuilt when their
//! picture is lost, while it is away.

use serde_json::json;

use crate::stand::{Database, House, Memory, Person, Topology, eventually};

async fn buys(house: &House, ada: &Person, event: &str, seat: &str) {
    let path = format!("/v1/events/{event}/holds");
    let hold = eventually(&format!("{seat} is held"), async || {
        let answer = ada.insists("POST", &path, json!({ "seats": [seat] })).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    let order = ada.insists("POST", "/v1/orders", json!({ "hold_id": hold["id"] })).await;
    assert_eq!(order.status, 201, "{}", order.body);
    house.pay(&order.body, "pm_card_visa").unwrap();
    let path = format!("/v1/orders/{}", order.body["id"].as_str().unwrap());
    eventually("the order is confirmed", async || {
        let now = ada.insists("GET", &path, None).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_shard_takes_only_its_own_events_with_it() {
    let (mut memory, database) = (Memory::start(Topology::Cluster).await, Database::start().await);
    let house = House::open("house", &database, &memory, 0, |settings| settings).await;
    let mut node = house.node("node");
    node.start().await;
    house.is_served_by(&[&node]).await;

    // Events until the first shard has one, and another shard, too. The lost one's is the older: it comes first
    // wherever all of them are looked at.
    let (mut lost, mut kept) = (None, None);
    while lost.is_none() || kept.is_none() {
        let id = house.theatre(4).await["id"].as_str().unwrap().to_owned();
        if memory.keeps(0, &format!("meta:{{{id}}}")).await {
            lost.get_or_insert(id);
        } else if lost.is_some() {
            kept.get_or_insert(id);
        }
    }
    let (lost, kept) = (lost.unwrap(), kept.unwrap());
    let ada = house.customer(&house.pg(&database)).await;
    buys(&house, &ada, &lost, "stalls-1-1").await;
    buys(&house, &ada, &kept, "stalls-1-1").await;

    memory.instances[0].kill();
    memory.instances[3].kill();
    buys(&house, &ada, &kept, "stalls-1-2").await;
    let refused = ada
        .persists(
            "POST",
            &format!("/v1/events/{lost}/holds"),
            Some(&json!({ "seats": ["stalls-1-2"] })),
            std::time::Duration::from_secs(3),
        )
        .await
        .unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);

    // The picture of an event on another shard is lost in this moment, too.
    memory.forgets(&format!("{{{kept}}}")).await;
    buys(&house, &ada, &kept, "stalls-1-3").await;

    memory.heal().await;
    buys(&house, &ada, &lost, "stalls-1-2").await;
    let audit = house.audit(&database, &memory, 0).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    node.stop();
}
