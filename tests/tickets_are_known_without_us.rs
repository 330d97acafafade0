//! A ticket's code is signed: whoever has the published key knows ours from a forged one, without asking.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::journeys::id;

const LETTERS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Written from `docs/tickets.md` alone, as somebody would who builds a device for doors.
fn read(code: &str, keys: &Value) -> Option<Value> {
    let bytes = |text: &str| -> Option<Vec<u8>> {
        let bits = text.chars().map(|letter| LETTERS.find(letter).map(|value| format!("{value:05b}")));
        let bits = bits.collect::<Option<String>>()?;
        let whole = bits.as_bytes().chunks_exact(8);
        Some(whole.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect())
    };
    let [kind, payload, signature] = code.split('.').collect::<Vec<_>>()[..] else { return None };
    let key = keys["keys"].as_array()?.iter().find(|key| key["kid"] == payload[..8])?;
    let key = BASE64_URL_SAFE_NO_PAD.decode(key["x"].as_str()?).ok()?;
    let signed = format!("{kind}.{payload}");
    UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &bytes(signature)?).ok()?;
    let payload = bytes(payload)?;
    let number = |from: usize, to: usize| {
        payload[from..to].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let ticket = uuid::Uuid::from_slice(&payload[14..30]).ok()?;
    Some(
        json!({ "event": number(5, 9), "ordinal": number(9, 12), "issue": number(12, 14), "ticket": ticket }),
    )
}

fn code(order: &Value) -> &str {
    order["tickets"][0]["code"].as_str().expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_the_published_key_knows_a_ticket_and_its_event_and_no_forged_one() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let order = holdfast.sold(&holdfast.customer().await, event, &["stalls-A-3"]).await;
    let keys = holdfast.anyone().get("/v1/tickets/keys").await;
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
    let keys = keys.expect(200);
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["crv"]), (&json!("OKP"), &json!("Ed25519")));

    let says = read(code(&order), &keys).expect("it is ours");
    let known = holdfast.anyone().get(&format!("/v1/events/{event}")).await.expect(200);
    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    let ticket = order["tickets"][0]["id"].clone();
    let ordinal = chart.ordinal("stalls-A-3");
    assert_eq!(says, json!({ "event": known["number"], "ordinal": ordinal, "issue": 1, "ticket": ticket }));
    // Capitals and digits only: what a QR code packs most tightly.
    assert!(
        code(&order).bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'.')
    );

    let other = Holdfast::with(|config| config.jwt_secret = Some(SecretString::from("x".repeat(40)))).await;
    let others = other.anyone().get("/v1/tickets/keys").await.expect(200);
    assert_eq!(read(code(&order), &others), None, "another house's key");
    let mut forged = code(&order).to_owned();
    forged.replace_range(40..44, "ZZZZ");
    assert_eq!(read(&forged, &keys), None);
    let scan = holdfast.organiser().post("/v1/admin/tickets/check-in", json!({ "code": forged })).await;
    assert_eq!((scan.status, scan.code()), (404, "not_found"));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_a_key_that_was_replaced_stay_good_at_doors_and_for_devices() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let before = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let old = holdfast.anyone().get("/v1/tickets/keys").await.expect(200);

    let published = old["keys"][0]["x"].as_str().expect("a key").to_owned();
    let second = holdfast
        .another_node(|config| {
            config.ticket_key = Some(SecretString::from("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="));
            config.ticket_keys_old = vec![published];
        })
        .await;
    let anyone = holdfast.anyone().at(&second);
    let both = anyone.get("/v1/tickets/keys").await.expect(200);
    assert_eq!(both["keys"].as_array().map(Vec::len), Some(2));
    assert_eq!(both["keys"][1], old["keys"][0]);
    assert!(read(code(&before), &both).is_some());

    // A move by the new node signs anew with the new key; the node that has never heard of it lets people in all the same.
    let path = format!("/v1/admin/tickets/{}/move", id(&before["tickets"][0]));
    let moved =
        holdfast.organiser().at(&second).post(&path, json!({ "seat": "stalls-A-2" })).await.expect(200);
    assert!(read(code(&moved), &both).is_some_and(|says| says["issue"] == 2));
    assert_eq!(read(code(&moved), &old), None);
    let scan = json!({ "code": code(&moved), "event_id": event });
    let let_in = holdfast.organiser().post("/v1/admin/tickets/check-in", scan).await.expect(200);
    assert_eq!(let_in["ticket"]["seat_id"], "stalls-A-2");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_scan_types_the_end_as_they_like_and_old_codes_still_open_the_door() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let first = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let second = holdfast.sold(&ada, event, &["stalls-A-2"]).await;
    let third = holdfast.sold(&ada, event, &["stalls-A-3"]).await;
    let scan = async |code: &str| {
        let body = json!({ "code": code, "event_id": event });
        holdfast.organiser().post("/v1/admin/tickets/check-in", body).await
    };
    let end = &code(&first)[144..];
    let typed = format!(" {}-{} {} ", &end[..4], &end[4..8].to_lowercase(), &end[8..]);
    let typed = typed.replace('0', "o").replace('1', "l");
    assert_eq!(scan(&typed).await.expect(200)["ticket"]["seat_id"], "stalls-A-1");
    assert_eq!(scan(end).await.code(), "already_checked_in");
    assert_eq!(scan(&code(&second).to_lowercase()).await.expect(200)["ticket"]["seat_id"], "stalls-A-2");
    for wrong in [&end[..11], &code(&first)[143..], "HF1.", "...."] {
        assert_eq!(scan(wrong).await.code(), "not_found", "{wrong}");
    }
    // Issued before codes were signed.
    sqlx::query("update tickets set code = '7K3MZ9Q2W8XN4B6VTR5HJCYDE' where id = $1::uuid")
        .bind(id(&third["tickets"][0]))
        .execute(&holdfast.app().pg)
        .await
        .expect("a change");
    assert_eq!(scan("7k3mz9q2w8xn4b6vtr5hjcyde").await.expect(200)["ticket"]["seat_id"], "stalls-A-3");
    // Found by the same words at the desk.
    let found =
        holdfast.organiser().get(&format!("/v1/admin/events/{event}/orders?q={end}")).await.expect(200);
    assert_eq!(found["items"][0]["id"], first["id"]);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_with_a_key_that_is_none() {
    let holdfast = Holdfast::start().await;
    let mut config = holdfast.config().clone();
    config.ticket_key = Some(SecretString::from("too short"));
    let refused = config.check_for_production().expect_err("it is refused").to_string();
    assert!(refused.contains("TICKET_KEY: must be 32 random bytes in base64"), "{refused}");
    assert!(holdfast::app::App::start(config).await.is_err());
}
