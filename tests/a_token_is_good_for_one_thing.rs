//! Holdfast hands out words that open something: access tokens, refresh tokens, admissions, places, tickets, secrets of hooks
//! and of payments. Each opens its own thing and nothing else, and none can be made by whoever has read the public keys.

use holdfast::ids::EventId;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::receiver::{Receiver, calls_back};
use crate::support::{Client, Holdfast, eventually};

async fn registers(holdfast: &Holdfast) -> Value {
    let form = json!({ "name": "Ada", "email": "ada@example.com", "password": "four-quiet-words" });
    holdfast.anyone().post("/v1/auth/register", form).await.expect(201)
}

/// An event whose waiting room has let somebody in.
async fn with_a_room(holdfast: &Holdfast, ada: &Client) -> (EventId, Value) {
    let opened = (OffsetDateTime::now_utc() - time::Duration::seconds(1))
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a moment");
    let event = holdfast
        .event(json!({
            "title": "On Sale", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false, "room_minutes": 10,
            "sale_starts_at": opened, "categories": [{ "key": "all", "price": 1000 }],
            "sections": [{ "key": "hall", "category": "all", "rows": [{ "name": "1", "seats": 10 }] }],
        }))
        .await;
    let visit = eventually("it is their turn", async || {
        let now = ada.post(&format!("/v1/events/{event}/room"), json!({})).await;
        (now.status == 200 && now.body["status"] == "admitted").then_some(now.body)
    })
    .await;
    (event, visit)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_opens_what_another_one_is_for() {
    let holdfast = Holdfast::with(calls_back).await;
    let tokens = registers(&holdfast).await;
    let ada = Client::new(holdfast.url(), tokens["access_token"].as_str().map(str::to_owned));
    let theatre = holdfast.theatre().await;
    let order = ada.orders(theatre, &["stalls-A-1"]).await;
    let bought = holdfast.sold(&ada, theatre, &["stalls-B-1"]).await;
    let receiver = Receiver::start().await;
    let hook = holdfast.organiser().listens(&receiver, &["*"]).await;
    let (event, visit) = with_a_room(&holdfast, &ada).await;
    let text = |value: &Value| value.as_str().expect("a word").to_owned();
    let words = [
        ("an access token", text(&tokens["access_token"])),
        ("a refresh token", text(&tokens["refresh_token"])),
        ("an admission", text(&visit["admission"])),
        ("a place", text(&visit["place"])),
        ("a ticket", text(&bought["tickets"][0]["code"])),
        ("a hook's secret", text(&hook["secret"])),
        ("a client secret", text(&order["payment"]["client_secret"])),
        ("an account's id", text(&tokens["account"]["id"])),
    ];
    for (what, word) in &words {
        let is = |own: &str| *what == own;
        let me = Client::new(holdfast.url(), Some(word.clone())).get("/v1/me").await;
        assert_eq!(me.status, if is("an access token") { 200 } else { 401 }, "{what} as an access token");
        if !is("a refresh token") {
            let body = json!({ "refresh_token": word });
            let answer = holdfast.anyone().post("/v1/auth/refresh", body.clone()).await;
            assert_eq!(answer.code(), "bad_refresh_token", "{what} as a refresh token");
            // Nor does it end what it does not belong to.
            assert_eq!(holdfast.anyone().post("/v1/auth/logout", body).await.status, 204);
            ada.get("/v1/me").await.expect(200);
        }
        if !is("an admission") {
            let held = ada
                .request(Method::POST, &format!("/v1/events/{event}/holds"))
                .header("Admission", word)
                .json(&json!({ "best": { "quantity": 1 } }));
            assert_eq!(ada.send(held).await.code(), "not_admitted", "{what} as an admission");
        }
        if !is("a ticket") {
            let shown = json!({ "code": word, "event_id": theatre });
            let answer = holdfast.organiser().post("/v1/admin/tickets/check-in", shown).await;
            assert!([404, 422].contains(&answer.status), "{what} as a ticket: {}", answer.body);
        }
    }
    let other = json!({ "refresh_token": tokens["refresh_token"] });
    holdfast.anyone().post("/v1/auth/refresh", other).await.expect(200);
}

/// As somebody would sign who knows how, and not with what.
fn forged(header: &Value, secret: &[u8], account: &Value) -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let claims = json!({ "iss": "holdfast", "aud": "holdfast", "sub": account, "role": "admin", "iat": now,
                         "exp": now + 600, "jti": uuid::Uuid::new_v4() });
    let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    format!("{text}.{}", BASE64.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes())))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_public_signs_nobody_in() {
    let holdfast = Holdfast::start().await;
    let tokens = registers(&holdfast).await;
    let account = &tokens["account"]["id"];
    let keys = holdfast.anyone().get("/v1/tickets/keys").await.expect(200);
    let mut secrets: Vec<(String, Vec<u8>)> = vec![
        ("nothing".to_owned(), Vec::new()),
        ("a usual word".to_owned(), b"secret".to_vec()),
        ("the name of the service".to_owned(), b"holdfast".to_vec()),
        ("an account's id".to_owned(), account.as_str().expect("an id").as_bytes().to_vec()),
    ];
    // Every text of the published keys, as it stands and as the bytes that it may be of.
    let text = keys.to_string();
    for word in text.split('"').filter(|word| word.len() > 8) {
        use base64::Engine as _;
        secrets.push((format!("the published {word}"), word.as_bytes().to_vec()));
        for decoded in [
            base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(word),
            base64::prelude::BASE64_STANDARD.decode(word),
        ] {
            secrets.extend(decoded.ok().map(|bytes| (format!("the bytes of {word}"), bytes)));
        }
    }
    assert!(secrets.len() > 5, "{secrets:?}");
    for (what, secret) in &secrets {
        for algorithm in ["HS256", "HS512", "RS256", "EdDSA", "ES256", "none"] {
            for kid in [json!("1"), json!("../../../../dev/null"), json!("' or 1=1 --")] {
                let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": kid });
                let forger = Client::new(holdfast.url(), Some(forged(&header, secret, account)));
                for path in ["/v1/me", "/v1/admin/accounts"] {
                    let answer = forger.get(path).await;
                    assert_eq!(answer.code(), "not_authenticated", "{path} with {what} by {algorithm}");
                }
            }
        }
    }
    // What was changed in a good one.
    let good = tokens["access_token"].as_str().expect("a token");
    let parts: Vec<&str> = good.split('.').collect();
    let admins = forged(&json!({ "alg": "HS256", "typ": "at+jwt" }), b"", account);
    let claims = admins.split('.').nth(1).expect("claims");
    for token in [
        format!("{}.{claims}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("{good} {good}"),
        good.to_uppercase(),
        "x".repeat(7000),
    ] {
        assert_eq!(Client::new(holdfast.url(), Some(token)).get("/v1/me").await.code(), "not_authenticated");
    }
    let twice = holdfast
        .anyone()
        .request(Method::GET, "/v1/me")
        .header("Authorization", "Bearer nonsense")
        .header("Authorization", format!("Bearer {good}"));
    assert_eq!(holdfast.anyone().send(twice).await.code(), "not_authenticated", "the first one counts");
}
