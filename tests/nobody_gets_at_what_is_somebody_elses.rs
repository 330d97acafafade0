//! Every call of the API document, made by whoever it is not for: with somebody else's ids, in the wrong role, with fields
//! that nobody asked for. A call that is added later is walked, too, and one that this file does not know fails it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::receiver::{Receiver, calls_back};
use crate::support::{Client, Holdfast};

/// Calls that are the same for everybody, or that name their owner by themselves.
const FOR_EVERYBODY: [(&str, &str); 10] = [
    ("get", "/v1/events/{id}"),
    ("get", "/v1/events/{id}/seats"),
    ("get", "/v1/events/{id}/availability"),
    ("get", "/v1/events/{id}/status"),
    ("get", "/v1/events/{id}/live"),
    ("post", "/v1/events/{id}/holds"),
    ("post", "/v1/events/{id}/room"),
    ("post", "/v1/events/{id}/waitlist"),
    // Without an id; what they name is in the body, and is tried below.
    ("post", "/v1/orders"),
    ("post", "/v1/admin/tickets/check-in"),
];

/// One thing of each kind, and all of it Ada's, or of her organiser.
struct World {
    holdfast: Holdfast,
    _receiver: Receiver,
    ada: Client,
    event: String,
    order: Value,
    hold: Value,
    entry: Value,
    hook: Value,
    account: String,
}

async fn world() -> World {
    let holdfast = Holdfast::with(calls_back).await;
    let event = holdfast.theatre().await;
    let receiver = Receiver::start().await;
    let hook = holdfast.organiser().listens(&receiver, &["*"]).await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let hold = ada.holds_seats(event, &["stalls-B-1"]).await.expect(201);
    let entry = ada.waits_for(event, 3).await;
    let entry = ada.is(&entry, "offered").await;
    let account = ada.get("/v1/me").await.expect(200)["id"].as_str().expect("an id").to_owned();
    World { holdfast, _receiver: receiver, ada, event: event.to_string(), order, hold, entry, hook, account }
}

impl World {
    /// Whose id a path asks for.
    fn filled(&self, path: &str) -> String {
        let whose = match path {
            path if path.contains("/tickets/{id}") => id(&self.order["tickets"][0]),
            path if path.contains("/orders/{id}") => id(&self.order),
            path if path.contains("/holds/{id}") => id(&self.hold),
            path if path.contains("/waitlist/{id}") => id(&self.entry),
            path if path.contains("/hooks/{id}") => id(&self.hook),
            path if path.contains("/accounts/{id}") => &self.account,
            path if path.contains("/events/{id}") => &self.event,
            path => panic!("whose id does {path} ask for? This file must know it"),
        };
        let query = if path.ends_with("report.csv") { "?by=section" } else { "" };
        path.replace("{id}", whose) + query
    }

    /// Everything as it was before anybody tried.
    async fn is_untouched(&self) {
        let order = self.ada.order(&self.order).await;
        assert_eq!((&order["status"], &order["tickets"]), (&self.order["status"], &self.order["tickets"]));
        self.ada.get(&format!("/v1/holds/{}", id(&self.hold))).await.expect(200);
        assert_eq!(self.ada.entry(&self.entry).await["status"], "offered");
        let hook = self.holdfast.organiser().hook(&self.hook).await;
        assert_eq!(
            (&hook["description"], &hook["status"]),
            (&self.hook["description"], &self.hook["status"])
        );
        let event = self.holdfast.anyone().get(&format!("/v1/events/{}", self.event)).await.expect(200);
        assert_eq!(event["title"], "The Tempest");
        assert_eq!(self.holdfast.anyone().get("/v1/events").await.expect(200)["items"][0]["id"], self.event);
        let me = self.ada.get("/v1/me").await.expect(200);
        assert_eq!(me["role"], "customer");
        self.holdfast.every_invariant_holds().await;
    }
}

/// A body that would do, were it for the owner to send.
fn body(method: &str, path: &str) -> Value {
    match (method, path.rsplit('/').next().unwrap_or_default()) {
        ("post", "block" | "unblock") => json!({ "seats": ["stalls-C-1"], "reason": "mine" }),
        ("post", "comps") => {
            json!({ "seats": ["stalls-C-1"], "name": "Eve", "email": "eve@example.com", "reason": "mine" })
        }
        ("post", "move") => json!({ "seat": "stalls-C-1", "reason": "mine" }),
        ("post", "undo-check-in" | "refund") => json!({ "reason": "mine" }),
        ("post", "replay") => json!({ "types": ["*"], "since": "2026-01-01T00:00:00Z" }),
        ("put", _) => json!({
            "title": "Mine", "venue": "Mine", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
            "categories": [{ "key": "gold", "name": "Stalls", "price": 1 }],
            "sections": [{ "key": "s", "name": "S", "category": "gold", "rows": [{ "name": "A", "seats": 1 }] }],
        }),
        ("patch", _) if path.contains("/hooks/") => json!({ "description": "mine" }),
        ("patch", _) if path.contains("/accounts/") => json!({ "role": "admin" }),
        ("patch", _) => json!({ "title": "Mine" }),
        _ => json!({}),
    }
}

/// Every call: its method, its path, and what is written of it.
async fn calls(holdfast: &Holdfast) -> Vec<(String, String, Value)> {
    let document = holdfast.anyone().get("/openapi.json").await.expect(200);
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, call) in methods.as_object().expect("methods") {
            calls.push((method.clone(), path.clone(), call.clone()));
        }
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_of_the_api_gives_or_changes_what_is_somebody_elses() {
    let world = Box::pin(world()).await;
    let holdfast = &world.holdfast;
    let (ben, rival) = (holdfast.customer().await, holdfast.another_organiser().await);
    let mut walked = 0;
    for (method, path, _) in calls(holdfast).await {
        if !path.contains("{id}") || FOR_EVERYBODY.contains(&(method.as_str(), path.as_str())) {
            continue;
        }
        walked += 1;
        let (there, sent) = (world.filled(&path), body(&method, &path));
        let is_admins = path.starts_with("/v1/admin/");
        for (who, person, expected) in [
            ("nobody", &holdfast.anyone(), 401),
            ("another customer", &ben, if is_admins { 403 } else { 404 }),
            ("another organiser", &rival, if path.contains("/accounts/") { 403 } else { 404 }),
        ] {
            let answer = person.call(&method, &there, sent.clone()).await;
            assert_eq!(answer.status, expected, "{who}: {method} {path}: {}", answer.body);
            let told = answer.body.to_string();
            for secret in ["stalls-A-1", "The Tempest", "example.com"] {
                assert!(!told.contains(secret), "{who}: {method} {path} tells {secret}");
            }
        }
    }
    assert!(walked > 35, "only {walked} calls were walked");

    // What is named in a body is somebody's, too.
    let theirs = json!({ "hold_id": id(&world.hold) });
    assert_eq!(ben.post("/v1/orders", theirs).await.status, 404);
    let code = json!({ "code": world.order["tickets"][0]["code"], "event_id": world.event });
    assert_eq!(ben.post("/v1/admin/tickets/check-in", code.clone()).await.status, 403);
    assert_eq!(rival.post("/v1/admin/tickets/check-in", code).await.status, 404);
    let instead = json!({ "seats": ["stalls-C-1"], "replaces": id(&world.hold) });
    let swapped = ben.post(&format!("/v1/events/{}/holds", world.event), instead).await;
    assert!([404, 410].contains(&swapped.status), "{} {}", swapped.status, swapped.body);
    // Lists are one's own.
    for (person, path) in [
        (&ben, "/v1/orders"),
        (&ben, "/v1/waitlist"),
        (&rival, "/v1/admin/events"),
        (&rival, "/v1/admin/hooks"),
        (&rival, "/v1/admin/hook-events"),
        (&rival, "/v1/admin/log"),
    ] {
        let answer = person.get(path).await;
        if answer.status != 403 {
            assert_eq!(answer.expect(200)["items"], json!([]), "{path}");
        }
    }
    world.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_customer_and_no_stranger_gets_into_a_call_for_organisers_or_administrators() {
    let world = Box::pin(world()).await;
    let holdfast = &world.holdfast;
    let mut walked = 0;
    for (method, path, call) in calls(holdfast).await {
        if !path.starts_with("/v1/admin/") {
            continue;
        }
        walked += 1;
        let there = if path.contains("{id}") { world.filled(&path) } else { path.clone() };
        for body in [body(&method, &path), json!({}), json!({ "role": "admin" })] {
            let answer = world.ada.call(&method, &there, body.clone()).await;
            assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{method} {path}");
            let answer = holdfast.anyone().call(&method, &there, body).await;
            assert_eq!((answer.status, answer.code()), (401, "not_authenticated"), "{method} {path}");
        }
        assert!(call["responses"]["403"].is_object(), "{method} {path} does not say that it may refuse");
    }
    assert!(walked > 30, "only {walked} calls were walked");
    // Accounts are for administrators alone, whoever else runs events.
    let organiser = holdfast.organiser();
    for (method, path) in [("get", "/v1/admin/accounts"), ("post", "/v1/admin/accounts")] {
        let form = json!({ "name": "Eve", "email": "eve@example.com", "password": "four-quiet-words", "role": "admin" });
        assert_eq!(organiser.call(method, path, form).await.status, 403, "{method} {path}");
    }
    world.is_untouched().await;
}

/// The schema that a reference leads to.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("it leads somewhere"),
        None => schema,
    }
}

/// Every object that a body may be made of, by name.
fn objects<'d>(document: &'d Value, schema: &'d Value, name: &str, found: &mut Vec<(String, &'d Value)>) {
    let schema = resolved(document, schema);
    if found.iter().any(|(known, _)| known == name) {
        return;
    }
    for combined in ["oneOf", "anyOf", "allOf"] {
        for (number, one) in schema[combined].as_array().into_iter().flatten().enumerate() {
            objects(document, one, &format!("{name}/{combined}{number}"), found);
        }
    }
    if schema["items"].is_object() {
        objects(document, &schema["items"], &format!("{name}[]"), found);
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.push((name.to_owned(), schema));
        for (property, inside) in properties {
            objects(document, inside, &format!("{name}.{property}"), found);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_takes_fields_that_nobody_asked_for() {
    let holdfast = Holdfast::start().await;
    let document = holdfast.anyone().get("/openapi.json").await.expect(200);
    let mut bodies = BTreeSet::new();
    for (method, path, call) in calls(&holdfast).await {
        // Stripe's own; nothing in it is believed.
        if path == "/v1/webhooks/stripe" {
            continue;
        }
        for (_, content) in call["requestBody"]["content"].as_object().into_iter().flatten() {
            let mut found = Vec::new();
            objects(&document, &content["schema"], &format!("{method} {path}"), &mut found);
            for (name, object) in found {
                assert_eq!(object["additionalProperties"], false, "{name} takes whatever is sent");
                bodies.insert(name);
            }
        }
    }
    assert!(bodies.len() > 25, "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_smuggled_into_a_body_is_refused_and_has_no_effect() {
    let world = Box::pin(world()).await;
    let holdfast = &world.holdfast;
    let (ada, organiser) = (&world.ada, holdfast.organiser());
    let event = &world.event;
    let form = json!({ "name": "Eve", "email": "eve@example.com", "password": "four-quiet-words" });
    let hold = json!({ "hold_id": id(&world.hold) });
    let wish = json!({ "seats": ["stalls-D-1"] });
    for (person, path, body, field, value) in [
        (&holdfast.anyone(), "/v1/auth/register".to_owned(), &form, "role", json!("admin")),
        (&holdfast.anyone(), "/v1/auth/register".to_owned(), &form, "id", json!(world.account)),
        (ada, "/v1/orders".to_owned(), &hold, "amount", json!(1)),
        (ada, "/v1/orders".to_owned(), &hold, "price", json!(1)),
        (ada, "/v1/orders".to_owned(), &hold, "status", json!("confirmed")),
        (ada, "/v1/orders".to_owned(), &hold, "account_id", json!(world.account)),
        (ada, "/v1/orders".to_owned(), &hold, "currency", json!("jpy")),
        (ada, format!("/v1/events/{event}/holds"), &wish, "price", json!(1)),
        (ada, format!("/v1/events/{event}/holds"), &wish, "expires_at", json!("2031-05-01T19:00:00Z")),
        (ada, format!("/v1/events/{event}/holds"), &wish, "customer", json!(world.account)),
        (ada, format!("/v1/events/{event}/waitlist"), &json!({ "quantity": 1 }), "place", json!(0)),
        (
            &organiser,
            format!("/v1/admin/events/{event}/seats/block"),
            &json!({ "seats": ["stalls-D-1"], "reason": "x" }),
            "state",
            json!("sold"),
        ),
    ] {
        let mut smuggled = body.clone();
        smuggled[field] = value;
        let answer = person.post(&path, smuggled).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "invalid_request"),
            "{path} {field}: {}",
            answer.body
        );
    }
    for (path, change) in [
        (
            format!("/v1/admin/events/{event}"),
            json!({ "title": "The Tempest", "organiser_id": world.account }),
        ),
        (format!("/v1/admin/events/{event}"), json!({ "currency": "jpy" })),
        (
            format!("/v1/admin/hooks/{}", id(&world.hook)),
            json!({ "description": "", "account_id": world.account }),
        ),
        (format!("/v1/admin/hooks/{}", id(&world.hook)), json!({ "description": "", "for_all": true })),
    ] {
        assert_eq!(organiser.patch(&path, change.clone()).await.status, 422, "{change}");
    }
    world.is_untouched().await;
}
