//! What organisers ask of the service: their events, their orders, how the sale went, and a door that opens once.

use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::journeys::{SLOW_BANK, id};

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_lists_own_events_with_their_numbers_and_an_admin_all() {
    let holdfast = Holdfast::start().await;
    let first = holdfast.theatre().await;
    let second = holdfast.theatre().await;
    holdfast.customer().await.holds_seats(first, &["stalls-A-1"]).await.expect(201);

    let page = holdfast.organiser().get("/v1/admin/events?limit=1").await.expect(200);
    assert_eq!(page["items"][0]["id"], json!(second), "the newest comes first");
    let cursor = page["next"].as_str().expect("there is another");
    let page =
        holdfast.organiser().get(&format!("/v1/admin/events?limit=1&cursor={cursor}")).await.expect(200);
    let item = &page["items"][0];
    assert_eq!((&item["id"], &item["held"], &item["available"]), (&json!(first), &json!(1), &json!(31)));
    assert_eq!(page["next"], Value::Null);

    let stranger = holdfast.another_organiser().await;
    assert_eq!(stranger.get("/v1/admin/events").await.expect(200)["items"], json!([]));
    let admin = holdfast.admin().await;
    assert_eq!(admin.get("/v1/admin/events").await.expect(200)["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(holdfast.customer().await.get("/v1/admin/events").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_found_by_whatever_somebody_on_the_telephone_knows() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let wanted = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let other = ben.orders(event, &["stalls-B-1"]).await;
    let elsewhere = holdfast.theatre().await;
    holdfast.sold(&ada, elsewhere, &["stalls-A-1"]).await;

    let organiser = holdfast.organiser();
    let find = async |query: &str| -> Vec<Value> {
        let found = organiser.get(&format!("/v1/admin/events/{event}/orders?{query}")).await.expect(200);
        found["items"].as_array().expect("items").iter().map(|order| order["id"].clone()).collect()
    };
    let email =
        organiser.get(&format!("/v1/admin/events/{event}/orders?q=stalls-A-2")).await.expect(200)["items"][0]
            ["customer"]["email"]
            .as_str()
            .expect("an address")
            .to_owned();
    let code = wanted["tickets"][0]["code"].as_str().expect("a code");
    for text in ["stalls-A-2", code, id(&wanted), &email, &email[..20]] {
        assert_eq!(find(&format!("q={text}")).await, [wanted["id"].clone()], "{text}");
    }
    assert_eq!(find("status=awaiting_payment").await, [other["id"].clone()]);
    assert_eq!(find("q=customer").await.len(), 2, "both are called A customer");
    // A wildcard is a letter like any other.
    for nothing in ["q=%25", "q=_", "q=stalls-A", "q=stalls-A-1&status=failed"] {
        assert!(find(nothing).await.is_empty(), "{nothing}");
    }
    let long = organiser.get(&format!("/v1/admin/events/{event}/orders?q={}", "x".repeat(300))).await;
    assert_eq!((long.status, long.code()), (422, "invalid_request"));
    // Customers are not told who they are.
    assert_eq!(ada.order(&wanted).await["customer"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_show_one_ticket_at_two_doors_exactly_one_gets_in() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let order = holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1"]).await;
    let scan = json!({ "code": order["tickets"][0]["code"], "event_id": event });
    let doors = [holdfast.organiser(), holdfast.organiser().at(&second)];

    let mut scans = Vec::new();
    for number in 0..100 {
        let (door, scan) = (doors[number % 2].clone(), scan.clone());
        scans.push(tokio::spawn(async move { door.post("/v1/admin/tickets/check-in", scan).await }));
    }
    let mut let_in = Vec::new();
    for scan in scans {
        let answer = scan.await.expect("an answer");
        if answer.status == 200 {
            let_in.push(answer.body);
        } else {
            assert_eq!((answer.status, answer.code()), (409, "already_checked_in"));
            assert_eq!(answer.body["checked_in_by"], "A organiser");
            assert!(answer.body["checked_in_at"].is_string());
        }
    }
    assert_eq!(let_in.len(), 1);
    assert_eq!(let_in[0]["ticket"]["seat_id"], "stalls-A-1");
    assert_eq!(let_in[0]["customer_name"], "A customer");
    let report = holdfast.organiser().get(&format!("/v1/admin/events/{event}/report")).await.expect(200);
    assert_eq!(report["checked_in"], 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_refuses_what_is_void_for_another_event_or_not_its_own() {
    let holdfast = Holdfast::start().await;
    let (event, other) = (holdfast.theatre().await, holdfast.theatre().await);
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let code = &order["tickets"][0]["code"];
    let organiser = holdfast.organiser();
    let scan = async |body: Value| organiser.post("/v1/admin/tickets/check-in", body).await;

    let wrong = scan(json!({ "code": code, "event_id": other })).await;
    assert_eq!(
        (wrong.status, wrong.code(), &wrong.body["event_title"]),
        (409, "wrong_event", &json!("The Tempest"))
    );
    let stranger = holdfast.another_organiser().await;
    let hidden = stranger.post("/v1/admin/tickets/check-in", json!({ "code": code })).await;
    assert_eq!((hidden.status, hidden.code()), (404, "not_found"));
    assert_eq!(scan(json!({ "code": "" })).await.code(), "invalid_request");
    ada.cancels(&order).await.expect(200);
    let void = scan(json!({ "code": code })).await;
    assert_eq!((void.status, void.code()), (409, "ticket_void"));
    assert_eq!(ada.order(&order).await["tickets"][0]["checked_in_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_drawn_for_its_owner_only_and_while_it_is_good() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let path = format!("/v1/tickets/{}/qr.svg", id(&order["tickets"][0]));
    let drawn = ada.get(&path).await;
    assert_eq!((drawn.status, drawn.header("content-type")), (200, Some("image/svg+xml")));
    assert!(drawn.body.as_str().is_some_and(|svg| svg.contains("<svg") && svg.contains("<path")));
    assert_eq!(drawn.header("cache-control"), Some("no-store"));
    assert_eq!(holdfast.customer().await.get(&path).await.status, 404);
    assert_eq!(holdfast.anyone().get(&path).await.status, 401);
    ada.cancels(&order).await.expect(200);
    assert_eq!(ada.get(&path).await.code(), "ticket_void");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_seen_before_anything_is_stored() {
    let holdfast = Holdfast::start().await;
    let form = json!({
        "title": "T", "starts_at": "2031-05-01T19:00:00Z", "categories": [{ "key": "a", "price": 100 }],
        "sections": [{ "key": "s", "category": "a", "rows": [{ "name": "A", "seats": 3, "aisles_after": [1] }] }],
    });
    let organiser = holdfast.organiser();
    let seen = organiser.post("/v1/admin/charts/preview", form.clone()).await.expect(200);
    assert_eq!(organiser.get("/v1/admin/events").await.expect(200)["items"], json!([]));

    let event = organiser.post("/v1/admin/events", form).await.expect(201);
    let real = holdfast.anyone().get(&format!("/v1/events/{}/seats", id(&event))).await.expect(200);
    for part in ["categories", "sections", "areas", "currency"] {
        assert_eq!(seen[part], real[part], "{part}");
    }
    let bad = json!({ "title": "", "starts_at": "2031-05-01T19:00:00Z", "categories": [{ "key": "a", "price": -1 }],
                      "sections": [{ "key": "s", "category": "b", "rows": [] }] });
    let refused = organiser.post("/v1/admin/charts/preview", bad).await;
    assert_eq!(refused.code(), "invalid_request");
    assert!(refused.body["errors"].as_array().is_some_and(|errors| errors.len() >= 4), "{}", refused.body);
    assert_eq!(holdfast.customer().await.post("/v1/admin/charts/preview", json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_says_when_what_was_sold() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let report =
        async || holdfast.organiser().get(&format!("/v1/admin/events/{event}/report")).await.expect(200);
    assert_eq!(report().await["timeline"], json!([]));
    holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1", "stalls-A-2"]).await;
    holdfast.sold(&holdfast.customer().await, event, &["stalls-B-1"]).await;
    // As if the first sale had been an hour ago.
    sqlx::query(
        "update order_log set at = at - interval '1 hour'
          where order_id = (select order_id from tickets order by issued_at limit 1)",
    )
    .execute(&holdfast.owner())
    .await
    .expect("a change");
    let now = report().await;
    assert_eq!(now["bucket_seconds"], 300);
    let buckets = now["timeline"].as_array().expect("a timeline");
    assert!((12..=14).contains(&buckets.len()), "{buckets:?}");
    assert_eq!((&buckets[0]["seats"], &buckets[0]["amount"]), (&json!(2), &json!(9600)));
    let seats: i64 = buckets.iter().map(|bucket| bucket["seats"].as_i64().expect("a number")).sum();
    assert_eq!(seats, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_what_cancelling_it_would_do_now() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let open = ada.orders(event, &["stalls-A-1"]).await;
    assert_eq!(open["cancel"], json!({ "allowed": true, "refund": 0 }));
    assert_eq!((&open["event"]["title"], &open["event"]["id"]), (&json!("The Tempest"), &json!(event)));
    assert!(open["server_time"].as_str() < open["pay_by"].as_str());
    holdfast.pay(&open, SLOW_BANK).await.expect(200);
    holdfast.bank_decides(&open, "succeeded").await;
    let paid = ada.sees(&open, "confirmed").await;
    assert_eq!(paid["cancel"], json!({ "allowed": true, "refund": 4800 }));

    let part = json!({ "amount": 800, "reason": "broken seat" });
    holdfast.organiser().post(&format!("/v1/admin/orders/{}/refund", id(&open)), part).await.expect(200);
    assert_eq!(ada.order(&open).await["cancel"], json!({ "allowed": true, "refund": 4000 }));
    sqlx::query("update events set starts_at = now() - interval '1 minute'")
        .execute(&holdfast.app().pg)
        .await
        .expect("a change");
    assert_eq!(ada.order(&open).await["cancel"], json!({ "allowed": false, "refund": 0 }));
    assert_eq!(ada.cancels(&open).await.code(), "order_state");
}
