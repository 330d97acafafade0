//! The stand itself: each shape forms, sells, loses a part, and is whole again.

use crate::stand::{Database, House, Memory, Topology, eventually};

async fn sells_before_and_after_a_loss(topology: Topology) {
    let (mut memory, mut database) = (Memory::start(topology).await, Database::start_with_standby().await);
    let house = House::open("house", &database, &memory, 1, |settings| settings).await;
    let mut nodes = [house.node("first"), house.node("second")];
    for node in &mut nodes {
        node.start().await;
    }
    house.is_served_by(&[&nodes[0], &nodes[1]]).await;
    let event = house.theatre(4).await;
    let ada = house.customer(&house.pg(&database)).await;
    let buys = async |seat: &str| {
        let path = format!("/v1/events/{}/holds", event["id"].as_str().unwrap());
        let hold = eventually(&format!("{seat} is held"), async || {
            let answer = ada.insists("POST", &path, serde_json::json!({ "seats": [seat] })).await;
            (answer.status == 201).then_some(answer.body)
        })
        .await;
        let order = ada.insists("POST", "/v1/orders", serde_json::json!({ "hold_id": hold["id"] })).await;
        assert_eq!(order.status, 201, "{}", order.body);
        house.pay(&order.body, "pm_card_visa").unwrap();
        let path = format!("/v1/orders/{}", order.body["id"].as_str().unwrap());
        eventually("the order is confirmed", async || {
            let now = ada.insists("GET", &path, None).await;
            (now.body["status"] == "confirmed").then_some(())
        })
        .await;
    };
    buys("stalls-1-1").await;

    let master = memory.masters().await[0];
    memory.instances[master].kill();
    database.fail_over().await;
    nodes[0].kill();
    memory.heal().await;
    nodes[0].start().await;
    buys("stalls-1-2").await;

    let audit = house.audit(&database, &memory, 1).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(house.homeless_money(&house.pg(&database)).await.is_empty());
    for node in &mut nodes {
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_alone_may_restart_empty() {
    sells_before_and_after_a_loss(Topology::Single).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_behind_sentinel_may_lose_its_master() {
    sells_before_and_after_a_loss(Topology::Sentinel).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_may_lose_a_master() {
    sells_before_and_after_a_loss(Topology::Cluster).await;
}
