//! Who runs the service sees all accounts, gives and takes roles, and shuts the door on one at once; and all of it can
//! be read afterwards.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::journeys::id;
use crate::support::{Client, Holdfast, eventually};

/// Somebody who registered, with what they were given.
async fn registered(holdfast: &Holdfast, name: &str) -> (Client, Value) {
    let who =
        json!({ "name": name, "email": format!("{name}@example.com"), "password": "four quiet words here" });
    let tokens = holdfast.anyone().post("/v1/auth/register", who).await.expect(201);
    let token = tokens["access_token"].as_str().expect("a token").to_owned();
    (Client::new(holdfast.url(), Some(token)), tokens)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disabled_is_out_at_every_node_and_for_good() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let admin = holdfast.admin().await;
    let (ada, tokens) = registered(&holdfast, "ada").await;
    ada.get("/v1/me").await.expect(200);
    ada.at(&second).get("/v1/me").await.expect(200);
    let path = format!("/v1/admin/accounts/{}", id(&tokens["account"]));

    let out = admin.patch(&path, json!({ "disabled": true })).await.expect(200);
    assert!(out["disabled_at"].is_string());
    let refused = ada.get("/v1/me").await;
    assert_eq!((refused.status, refused.code()), (401, "not_authenticated"), "at once, where it was done");
    eventually("the other node has heard", async || {
        (ada.at(&second).get("/v1/me").await.status == 401).then_some(())
    })
    .await;
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    assert_eq!(holdfast.anyone().post("/v1/auth/refresh", refresh.clone()).await.code(), "bad_refresh_token");
    let login = json!({ "email": "ada@example.com", "password": "four quiet words here" });
    assert_eq!(holdfast.anyone().post("/v1/auth/login", login.clone()).await.code(), "bad_credentials");

    let back = admin.patch(&path, json!({ "disabled": false })).await.expect(200);
    assert_eq!(back["disabled_at"], Value::Null);
    assert_eq!(ada.get("/v1/me").await.status, 401, "the old token stays dead");
    assert_eq!(holdfast.anyone().post("/v1/auth/refresh", refresh).await.code(), "bad_refresh_token");
    let again = holdfast.anyone().post("/v1/auth/login", login).await.expect(200);
    let token = again["access_token"].as_str().expect("a token").to_owned();
    for node in [holdfast.url().to_owned(), second.url.clone()] {
        Client::new(node, Some(token.clone())).get("/v1/me").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_counts_at_once_and_not_only_with_the_next_sign_in() {
    let holdfast = Holdfast::start().await;
    let admin = holdfast.admin().await;
    let (ada, tokens) = registered(&holdfast, "ada").await;
    assert_eq!(ada.get("/v1/admin/events").await.status, 403);
    let path = format!("/v1/admin/accounts/{}", id(&tokens["account"]));
    assert_eq!(admin.patch(&path, json!({ "role": "organiser" })).await.expect(200)["role"], "organiser");
    assert_eq!(ada.get("/v1/me").await.status, 401);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let renewed = holdfast.anyone().post("/v1/auth/refresh", refresh).await.expect(200);
    let ada = Client::new(holdfast.url(), renewed["access_token"].as_str().map(str::to_owned));
    ada.get("/v1/admin/events").await.expect(200);
    admin.patch(&path, json!({ "role": "customer" })).await.expect(200);
    assert_eq!(ada.get("/v1/admin/events").await.status, 401);

    for (body, code) in [(json!({}), "invalid_request"), (json!({ "role": "king" }), "invalid_request")] {
        assert_eq!(admin.patch(&path, body).await.code(), code);
    }
    let own = admin.get("/v1/me").await.expect(200);
    let myself = admin.patch(&format!("/v1/admin/accounts/{}", id(&own)), json!({ "disabled": true })).await;
    assert_eq!((myself.status, myself.code()), (403, "forbidden"));
    assert_eq!(holdfast.organiser().patch(&path, json!({ "role": "admin" })).await.status, 403);
    assert_eq!(
        admin
            .patch(&format!("/v1/admin/accounts/{}", uuid::Uuid::now_v7()), json!({ "disabled": true }))
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_of_somebody_who_is_being_shut_out_all_fail_after_the_answer() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let admin = holdfast.admin().await;
    let (ada, tokens) = registered(&holdfast, "ada").await;
    let path = format!("/v1/admin/accounts/{}", id(&tokens["account"]));
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let here = if number % 2 == 0 { ada.clone() } else { ada.at(&second) };
        calls.spawn(async move { here.holds(event, json!({ "best": { "quantity": 1 } })).await.status });
    }
    admin.patch(&path, json!({ "disabled": true })).await.expect(200);
    for status in calls.join_all().await {
        assert!(matches!(status, 201 | 401 | 409), "{status}");
    }
    for _ in 0..20 {
        assert_eq!(ada.holds(event, json!({ "best": { "quantity": 1 } })).await.status, 401);
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_by_whom_can_be_read() {
    let holdfast = Holdfast::start().await;
    let (admin, organiser) = (holdfast.admin().await, holdfast.organiser());
    let event = holdfast.theatre().await;
    let path = format!("/v1/admin/events/{event}");
    let block = json!({ "seats": ["stalls-A-1"], "reason": "technical desk" });
    organiser.post(&format!("{path}/seats/block"), block).await.expect(200);
    organiser.patch(&path, json!({ "title": "The Storm" })).await.expect(200);
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-2"]).await;
    organiser
        .post(&format!("/v1/admin/orders/{}/refund", id(&order)), json!({ "reason": "goodwill" }))
        .await
        .expect(200);
    let (_, tokens) = registered(&holdfast, "ben").await;
    admin
        .patch(&format!("/v1/admin/accounts/{}", id(&tokens["account"])), json!({ "role": "organiser" }))
        .await
        .expect(200);

    let log = organiser.get(&format!("{path}/log?limit=100")).await.expect(200);
    let lines = log["items"].as_array().expect("lines");
    let find = |action: &str| {
        lines.iter().find(|line| line["action"] == action).unwrap_or_else(|| panic!("{action}: {log}"))
    };
    assert_eq!(find("seats blocked")["detail"]["seats"], json!(["stalls-A-1"]));
    assert_eq!(find("seats blocked")["cause"], "technical desk");
    assert_eq!(find("event changed")["detail"]["fields"], json!(["title"]));
    assert_eq!(find("event changed")["actor_name"], "A organiser");
    assert_eq!(
        (&find("confirmed")["kind"], &find("confirmed")["actor"]),
        (&json!("order"), &json!("stripe"))
    );
    assert!(find("cancelled")["cause"].as_str().is_some_and(|cause| cause.starts_with("goodwill")));
    assert_eq!(
        (&find("confirmed")["subject_name"], &find("confirmed")["event_title"]),
        (&json!("A customer"), &json!("The Storm"))
    );
    assert!(
        lines.iter().all(|line| line["event_id"] == json!(event)),
        "accounts are not an organiser's business"
    );
    let moments: Vec<_> = lines.iter().map(|line| line["at"].as_str().expect("a moment")).collect();
    assert!(moments.is_sorted_by(|a, b| a >= b), "newest first");

    // Page by page it is the same.
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = organiser.get(&format!("{path}/log?limit=2{next}")).await.expect(200);
        seen.extend(page["items"].as_array().expect("lines").iter().map(|line| line["id"].clone()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(seen, lines.iter().map(|line| line["id"].clone()).collect::<Vec<_>>());

    let all = admin.get("/v1/admin/log?limit=100").await.expect(200);
    let changed =
        all["items"].as_array().expect("lines").iter().find(|line| line["action"] == "role changed");
    let changed = changed.expect("it is there");
    assert_eq!(changed["detail"], json!({ "from": "customer", "to": "organiser" }));
    assert_eq!((&changed["subject_name"], &changed["event_title"]), (&json!("ben"), &Value::Null));
    assert_eq!(organiser.get("/v1/admin/log").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_shut_out_is_told_nothing_more_by_webhook_either() {
    let holdfast = Holdfast::with(|config| config.hooks_allow_private = true).await;
    let admin = holdfast.admin().await;
    let (_, tokens) = registered(&holdfast, "otto").await;
    let account = format!("/v1/admin/accounts/{}", id(&tokens["account"]));
    admin.patch(&account, json!({ "role": "organiser" })).await.expect(200);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let renewed = holdfast.anyone().post("/v1/auth/refresh", refresh).await.expect(200);
    let otto = Client::new(holdfast.url(), renewed["access_token"].as_str().map(str::to_owned));
    let endpoint = json!({ "url": "http://127.0.0.1:9/hook", "events": ["*"] });
    let hook = otto.post("/v1/admin/hooks", endpoint).await.expect(201);
    admin.patch(&account, json!({ "disabled": true })).await.expect(200);
    eventually("the endpoint is disabled, and says why", async || {
        let now = admin.get(&format!("/v1/admin/hooks/{}", id(&hook))).await.expect(200);
        (now["status"] == "disabled" && now["reason"] == "its account is disabled").then_some(())
    })
    .await;
}
