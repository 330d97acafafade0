//! Five earlier systems and what went wrong in them: each defect is a test here.

use serde_json::json;

use crate::support::Holdfast;
use crate::support::journeys::id;

#[tokio::test(flavor = "multi_thread")]
async fn more_buyers_than_database_connections_all_get_an_answer() {
    let holdfast = Holdfast::with(|config| config.database_connections = 2).await;
    let event = holdfast
        .event(json!({ "title": "Rush", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 40 }))
        .await;
    let crowd = holdfast.crowd(40).await;

    let mut buys = tokio::task::JoinSet::new();
    for buyer in crowd {
        buys.spawn(async move {
            let hold = buyer.holds(event, json!({ "areas": { "general": 1 } })).await.expect(201);
            // A pool that is busy answers 503 in time; asking again goes on as the same order.
            loop {
                let answer = buyer.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
                match answer.status {
                    201 => return answer.body,
                    503 => {}
                    other => panic!("{other}: {}", answer.body),
                }
            }
        });
    }
    let orders = buys.join_all().await;
    assert!(orders.iter().all(|order| order["status"] == "confirmed"));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_event_in_a_loop_leaks_nothing() {
    let holdfast = Holdfast::with(|config| config.database_connections = 2).await;
    let ada = holdfast.customer().await;
    let nobody = "0190aaaa-0000-7000-8000-000000000000";
    for _ in 0..50 {
        for path in ["", "/status", "/availability", "/seats"] {
            let answer = ada.get(&format!("/v1/events/{nobody}{path}")).await;
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
        }
        let answer = ada.post(&format!("/v1/events/{nobody}/holds"), json!({ "seats": ["a-1-1"] })).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    let event = holdfast.theatre().await;
    ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cancels_at_once_on_two_nodes_give_back_once() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let before = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    for _ in 0..5 {
        let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
        let elsewhere = ada.at(&second);
        let (one, two) = tokio::join!(ada.cancels(&order), elsewhere.cancels(&order));
        assert_eq!((one.status, two.status), (200, 200));
        let order = ada.sees(&order, "refunded").await;
        assert_eq!(order["refunds"].as_array().map(Vec::len), Some(1));
        ada.sees_seat(event, "stalls-A-1", "free").await;
    }
    let after = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!(before["available"], after["available"]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_belongs_to_its_event() {
    let holdfast = Holdfast::start().await;
    let (here, there) = (holdfast.theatre().await, holdfast.theatre().await);
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, here, &["stalls-A-1"]).await;
    assert_eq!(ada.state_of(there, "stalls-A-1").await, "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_becomes_an_admin_by_asking() {
    let holdfast = Holdfast::start().await;
    let asked = holdfast
        .anyone()
        .post(
            "/v1/auth/register",
            json!({ "name": "Eve", "email": "eve@example.com", "password": "a-long-password", "role": "admin" }),
        )
        .await;
    assert_eq!((asked.status, asked.code()), (422, "invalid_request"));
    let customer = holdfast.customer().await;
    for path in ["/v1/admin/accounts", "/v1/admin/events"] {
        assert_eq!(customer.post(path, json!({})).await.status, 403, "{path}");
        assert_eq!(holdfast.anyone().post(path, json!({})).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_acts_for_nobody_else() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, eve) = (holdfast.customer().await, holdfast.customer().await);
    let hold = ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    let hold_path = format!("/v1/holds/{}", id(&hold));

    assert_eq!(eve.get(&hold_path).await.status, 404);
    let bought = eve.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    assert_eq!(bought.status, 404, "a hold of somebody else's is not checked out");
    let stolen = eve.holds(event, json!({ "seats": ["stalls-D-1"], "replaces": id(&hold) })).await;
    assert_ne!(stolen.status, 201, "nor replaced");
    eve.delete(&hold_path).await;
    let hers = ada.get(&hold_path).await;
    assert_eq!((hers.status, &hers.body["status"]), (200, &json!("held")), "it is still hers");

    let order = ada.checks_out(&hold).await;
    let seen = eve.get(&format!("/v1/orders/{}", id(&order))).await;
    assert_eq!(seen.status, 404, "an order of somebody else's is not there");
    assert_eq!(eve.cancels(&order).await.status, 404);
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment");
    assert!(eve.get("/v1/orders").await.expect(200)["items"].as_array().expect("a page").is_empty());
}
