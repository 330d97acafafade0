//! Whoever calls may hang up at any byte, and may come back after days.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Client, Holdfast, eventually};

/// A request as it goes over the wire.
fn wire(person: &Client, method: &str, path: &str, key: &str, body: &Value) -> Vec<u8> {
    let body = if method == "POST" { body.to_string() } else { String::new() };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        person.token(),
        body.len()
    )
    .into_bytes()
}

/// Sends so much of it, and then the connection is reset, as when somebody leaves the tunnel of a train.
async fn sends_and_hangs_up(node: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(node).await.expect("somebody listens");
    stream.write_all(bytes).await.expect("it is sent");
    // Lets the node get as far as it can with what it has, on some of them.
    if bytes.len().is_multiple_of(3) {
        tokio::time::sleep(std::time::Duration::from_millis(bytes.len() as u64 % 17)).await;
    }
    stream.set_zero_linger().expect("an open connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_hang_up_at_any_byte_leave_nothing_behind() {
    let holdfast = Holdfast::with(|config| config.database_connections = 3).await;
    let node: SocketAddr = holdfast.url().trim_start_matches("http://").parse().expect("an address");
    let event = holdfast.small_hall(1000, &[20, 20]).await;
    let ada = holdfast.customer().await;
    let (mut orders, path) = (Vec::new(), format!("/v1/events/{event}/holds"));
    for number in 0..40 {
        let seat = format!("hall-{}-{}", ["A", "B"][number % 2], number / 2 + 1);
        let (wish, key) = (json!({ "seats": [seat] }), format!("cut-{number}"));
        let whole = wire(&ada, "POST", &path, &key, &wish);
        // Each is cut a little later than the one before; the last ones are whole, and their answer is not read.
        let cut = (whole.len() * (number + 1) / 32).min(whole.len());
        sends_and_hangs_up(node, &whole[..cut]).await;
        let hold = ada.insists(&path, &key, wish).await.expect(201);

        let (checkout, key) = (json!({ "hold_id": id(&hold) }), format!("pay-{number}"));
        let whole = wire(&ada, "POST", "/v1/orders", &key, &checkout);
        let cut = (whole.len() * (40 - number) / 24).min(whole.len());
        sends_and_hangs_up(node, &whole[..cut]).await;
        let order = ada.insists("/v1/orders", &key, checkout).await.expect(201);

        if number % 4 == 0 {
            let cancel = format!("/v1/orders/{}/cancel", id(&order));
            let whole = wire(&ada, "POST", &cancel, &format!("off-{number}"), &json!({}));
            sends_and_hangs_up(node, &whole[..whole.len() - number % 3]).await;
        }
        orders.push(order);
    }
    let listed = ada.get("/v1/orders?limit=100").await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(40), "one order a seat");
    for order in &orders {
        let now = eventually("the order ends", async || {
            let now = ada.order(order).await;
            if now["status"] == "awaiting_payment" {
                holdfast.pay(order, GOOD_CARD).await;
            }
            matches!(now["status"].as_str(), Some("confirmed" | "cancelled" | "refunded")).then_some(now)
        })
        .await;
        assert_eq!(now["id"], order["id"]);
    }
    // Every connection to Postgres is there for whoever comes next.
    assert!(holdfast.app().pg.size() <= 3);
    eventually("nothing is kept by somebody who is gone", async || {
        let (busy,): (i64,) = sqlx::query_as(
            "select count(*) from pg_stat_activity
              where datname = current_database() and state like 'idle in transaction%'",
        )
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("what the server does");
        (busy == 0).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_again_after_days_finds_what_became_of_it() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let form = json!({ "name": "Ada", "email": "ada@example.com", "password": "a-long-password" });
    holdfast.anyone().post_once("/v1/auth/register", "reg", form.clone()).await.expect(201);
    let hold = ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    let checkout = json!({ "hold_id": id(&hold) });
    let order = ada.post_once("/v1/orders", "checkout", checkout.clone()).await.expect(201);
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;

    // A day later keys are forgotten; orders are not.
    sqlx::query("delete from idempotency_keys").execute(&holdfast.app().pg).await.expect("tidied");
    let again = ada.post_once("/v1/orders", "checkout", checkout.clone()).await.expect(201);
    assert_eq!((&again["id"], again["status"].as_str()), (&order["id"], Some("confirmed")));
    assert!(again["payment"].is_null(), "nothing is to be paid again");
    let taken = holdfast.anyone().post_once("/v1/auth/register", "reg", form).await;
    assert_eq!((taken.status, taken.code()), (409, "email_taken"));

    let cancel = format!("/v1/orders/{}/cancel", id(&order));
    ada.post_once(&cancel, "off", json!({})).await.expect(200);
    let order = ada.sees(&order, "refunded").await;
    sqlx::query("delete from idempotency_keys").execute(&holdfast.app().pg).await.expect("tidied");
    let again = ada.post_once(&cancel, "off", json!({})).await.expect(200);
    assert_eq!((&again["status"], again["refunds"].as_array().map(Vec::len)), (&order["status"], Some(1)));
    let again = ada.post_once("/v1/orders", "checkout", checkout).await.expect(201);
    assert_eq!((&again["id"], again["status"].as_str()), (&order["id"], Some("refunded")));
    assert_eq!(holdfast.ledger_intents().await.len(), 1, "one payment was made for all of it");
    holdfast.every_invariant_holds().await;
}
