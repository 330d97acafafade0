//! The collection of calls in `docs/bruno` is for people, who believe it. So it has every call of the API, says of each
//! what OpenAPI says, and can be walked from top to bottom by somebody who has just started `holdfast dev`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use holdfast::demo;
use serde_json::Value;

use crate::collection::bru::Sheet;
use crate::collection::call::{Body, Call, Variables};
use crate::collection::{calls, environment, folder, schema};
use crate::support::{Holdfast, PATIENCE};

/// Calls that nobody can make by hand, and what they are told.
const REFUSED: [(&str, u16, &str); 1] =
    [("webhooks/stripe.bru", 400, "bad_signature: only Stripe has what signs a webhook")];

/// What an answer's bytes begin with, by its media type.
const BEGINNINGS: [(&str, &[u8]); 5] = [
    ("application/pdf", b"%PDF-1."),
    ("image/png", b"\x89PNG\r\n"),
    ("image/svg+xml", b"<"),
    ("text/calendar", b"BEGIN:VCALENDAR"),
    ("application/openmetrics-text", b"# HELP"),
];

async fn openapi(holdfast: &Holdfast) -> Value {
    holdfast.anyone().get("/openapi.json").await.expect(200)
}

/// A call as the document has it.
fn documented<'a>(document: &'a Value, call: &Call) -> &'a Value {
    let found = &document["paths"][&call.path][&call.method];
    assert!(found.is_object(), "{}: there is no {} {}", call.file, call.method, call.path);
    found
}

/// A call may stand where it is needed once more, under another name.
fn is_the_call(says: &Value, call: &Call) -> bool {
    says["summary"].as_str().expect("a summary").trim_end_matches('.') == call.name
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_api_is_in_the_collection_under_its_own_name() {
    let document = openapi(&Holdfast::start().await).await;
    let calls = calls();
    let mut shown: Vec<(String, String)> = Vec::new();
    for call in calls.iter().filter(|call| !call.is_to_sandbox) {
        let says = documented(&document, call);
        if is_the_call(says, call) {
            assert_eq!(says["tags"], serde_json::json!([call.tag]), "{}: its folder is its tag", call.file);
            shown.push((call.path.clone(), call.method.clone()));
        }
    }
    let mut expected = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        expected.extend(
            methods.as_object().expect("methods").keys().map(|method| (path.clone(), method.clone())),
        );
    }
    let twice: Vec<_> =
        shown.iter().filter(|call| shown.iter().filter(|other| other == call).count() > 1).collect();
    assert!(twice.is_empty(), "under their own names more than once: {twice:?}");
    expected.retain(|call| !shown.contains(call));
    assert!(expected.is_empty(), "not in docs/bruno: {expected:?}");
    let titles: BTreeSet<_> = calls.iter().map(|call| &call.name).collect();
    assert_eq!(titles.len(), calls.len(), "two calls have one name");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collection_sends_and_says_what_the_api_documents() {
    let document = openapi(&Holdfast::start().await).await;
    let codes: BTreeSet<&str> = document["components"]["schemas"]["Code"]["enum"]
        .as_array()
        .expect("codes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for call in calls().iter().filter(|call| !call.is_to_sandbox) {
        let says = documented(&document, call);
        let file = &call.file;
        let parameters = says["parameters"].as_array().cloned().unwrap_or_default();
        for (place, sent) in [("path", &call.in_path), ("query", &call.query), ("header", &call.headers)] {
            let known = parameters.iter().filter(|known| known["in"] == place);
            for known in known.clone().filter(|known| known["required"] == true) {
                assert!(
                    sent.iter().any(|pair| known["name"] == pair.key.as_str()),
                    "{file}: {} is missing",
                    known["name"]
                );
            }
            for pair in sent {
                let is_known = known.clone().any(|known| known["name"] == pair.key.as_str());
                assert!(is_known || pair.key == "Accept", "{file}: {} is no {place} parameter", pair.key);
            }
        }
        let repeats = parameters.iter().any(|known| known["name"] == "Idempotency-Key");
        assert_eq!(repeats, call.headers.iter().any(|pair| pair.key == "Idempotency-Key"), "{file}: a key");
        assert_eq!(says["security"].is_array(), call.token.is_some(), "{file}: who may call");
        assert_eq!(says["requestBody"].is_object(), !matches!(call.body, Body::None), "{file}: a body");

        for (status, answer) in says["responses"].as_object().expect("responses") {
            let described = answer["description"].as_str().unwrap_or_default();
            let own = described.split('`').skip(1).step_by(2).filter(|word| codes.contains(word));
            for code in own.filter(|_| is_the_call(says, call)) {
                assert!(
                    call.docs.contains(&format!("`{code}`")),
                    "{file}: the docs do not tell of {status} {code}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_all_calls_renews_what_the_sign_ins_keep() {
    let document = openapi(&Holdfast::start().await).await;
    let sheet = Sheet::read(&folder().join("collection.bru"));
    sheet.has_only(&["script:pre-request", "docs"]);
    let script = sheet.text("script:pre-request").expect("a script");
    let key = "bru.setVar(\"idempotency_key\", bru.interpolate(\"{{$randomUUID}}\"));";
    assert!(script.lines().any(|line| line == key), "each change has a key of its own");
    assert!(
        document["paths"]["/v1/auth/refresh"]["post"].is_object()
            && script.contains("{{base_url}}/v1/auth/refresh")
    );

    let calls = calls();
    let kept: BTreeSet<_> = calls
        .iter()
        .filter(|call| call.path == "/v1/auth/login")
        .flat_map(|call| call.carries.iter().map(|carry| format!("\"{}\"", carry.variable)))
        .collect();
    assert_eq!(kept.len(), 6, "three people, each with two tokens: {kept:?}");
    for token in &kept {
        assert!(script.contains(token.as_str()), "{token} is never renewed");
    }
    let service = calls.iter().filter(|call| !call.is_to_sandbox);
    for token in service.filter_map(|call| call.token.as_ref()) {
        assert!(kept.contains(&token.replace("{{", "\"").replace("}}", "\"")), "nobody keeps {token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_walks_the_collection_buys_waits_organises_and_lets_people_in() {
    let holdfast = Holdfast::with(|config| {
        // As `dev` has them.
        config.hooks_allow_private = true;
        config.pay_page_url = config.stripe_api_url.as_ref().map(|url| format!("{url}/pay"));
    })
    .await;
    demo::open(holdfast.app()).await.expect("the demo");
    let document = openapi(&holdfast).await;
    let mut known: Variables = environment().into_iter().collect();
    assert_eq!(known["password"], demo::PASSWORD);
    known.insert("base_url".to_owned(), holdfast.url().to_owned());
    known.insert("sandbox_url".to_owned(), holdfast.config().stripe_api_url.clone().expect("a sandbox"));

    // Twice: whoever has walked it once finds nothing used up.
    for _ in 0..2 {
        for call in calls() {
            walk(&document, &call, &mut known).await;
        }
    }
    holdfast.every_invariant_holds().await;
}

/// Makes one call, looks at the answer and keeps what the script keeps.
async fn walk(document: &Value, call: &Call, known: &mut Variables) {
    let deadline = Instant::now() + PATIENCE;
    let http = reqwest::Client::new();
    loop {
        known.insert("idempotency_key".to_owned(), uuid::Uuid::new_v4().to_string());
        let answer = call.request(&http, known).send().await.expect("an answer");
        let Some(body) = judge(document, call, answer, known).await else { return };
        let mut missing = None;
        for carry in &call.carries {
            match carry.apply(&body) {
                Some(value) => drop(known.insert(carry.variable.clone(), value)),
                None => missing = Some(&carry.variable),
            }
        }
        let Some(missing) = missing else { return };
        // What a webhook brings is looked at again, as anybody would.
        let may_come = call.method == "get" && Instant::now() < deadline;
        assert!(may_come, "{}: there is no {missing} in {body}", call.file);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The body, when it is JSON. An answer that is not documented, or is not what is documented, ends the walk.
async fn judge(
    document: &Value,
    call: &Call,
    mut answer: reqwest::Response,
    known: &Variables,
) -> Option<Value> {
    let file = &call.file;
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
    let kind = kind.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
    if kind == "text/event-stream" {
        assert!(call.tags.iter().any(|tag| tag == "endless"), "{file}: a run would never get behind it");
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("event: snapshot") {
            seen.extend(answer.chunk().await.expect("a message").expect("it does not end"));
        }
        return None;
    }
    let bytes = answer.bytes().await.expect("a whole body");
    let text = String::from_utf8_lossy(&bytes);
    match REFUSED.iter().find(|(name, ..)| name == file) {
        Some((_, expected, why)) => assert_eq!(status, *expected, "{file}: {why}\n{text}"),
        None => assert!((200..300).contains(&status), "{file}: {status} {text}"),
    }
    let json = serde_json::from_slice(&bytes).ok();
    if call.is_to_sandbox {
        return json;
    }
    let says = documented(document, call);
    if let Body::Json(_) = &call.body {
        let sent = call.request(&reqwest::Client::new(), known).build().expect("a request");
        let sent = sent.body().and_then(reqwest::Body::as_bytes).expect("bytes");
        let sent: Value = serde_json::from_slice(sent).unwrap_or_else(|why| panic!("{file}: {why}"));
        let form = &says["requestBody"]["content"]["application/json"]["schema"];
        let faults = schema::faults(document, form, &sent);
        assert!(faults.is_empty(), "{file} sends what is not documented: {faults:#?}");
    }
    let says = &says["responses"][status.to_string()];
    assert!(says.is_object(), "{file}: {status} is not documented");
    if bytes.is_empty() {
        assert!(says["content"].is_null(), "{file}: an empty answer");
        return json;
    }
    if status < 300 {
        let form = &says["content"][&kind];
        assert!(form.is_object(), "{file}: {kind} is not documented");
        if let Some(body) = &json {
            let faults = schema::faults(document, &form["schema"], body);
            assert!(faults.is_empty(), "{file} is answered what is not documented: {faults:#?}");
        }
    }
    if let Some((_, beginning)) = BEGINNINGS.iter().find(|(known, _)| *known == kind) {
        assert!(bytes.starts_with(beginning), "{file}: no {kind}: {text:.40}");
    }
    if kind == "text/csv" {
        assert!(text.lines().next().is_some_and(|heads| heads.contains(',')), "{file}: {text:.80}");
    }
    json
}
