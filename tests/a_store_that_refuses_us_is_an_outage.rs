//! A store that answers, but not what was asked: a password that was changed, rights that were taken, a Redis that still loads
//! its data, a key that Stripe no longer knows. Nothing is sold on the quiet, it is told, and it ends by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast::config::Config;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Holdfast, Node, eventually};

/// Somebody in Redis with a name of their own, so that what is done to them is done to nobody else.
struct Guest {
    name: String,
    password: String,
}

impl Guest {
    async fn at(holdfast: &Holdfast) -> Self {
        let unique = || uuid::Uuid::new_v4().simple().to_string();
        let guest = Self { name: unique(), password: unique() };
        guest.is_told(holdfast, &["on", &format!(">{}", guest.password), "~*", "&*", "+@all"]).await;
        guest
    }

    async fn is_told(&self, holdfast: &Holdfast, rules: &[&str]) {
        holdfast.redis_command(&[&["ACL", "SETUSER", &self.name][..], rules].concat()).await;
    }

    async fn is_thrown_out(&self, holdfast: &Holdfast) {
        holdfast.redis_command(&["CLIENT", "KILL", "USER", &self.name]).await;
    }

    fn signs_in(&self, config: &mut Config, redis: &str) {
        let url = format!("{redis}&user={}&pass={}", self.name, self.password);
        config.redis_url = Some(SecretString::from(url));
    }
}

async fn says(node: &Node, holdfast: &Holdfast, redis: &str) {
    let anyone = holdfast.anyone().at(node);
    eventually(&format!("readiness says that Redis is: {redis}"), async || {
        let answer = anyone.get("/readyz").await;
        (answer.body["checks"]["redis"] == redis).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_no_longer_knows_our_password_is_an_outage_that_ends_with_it() {
    let holdfast = Holdfast::start().await;
    let guest = Guest::at(&holdfast).await;
    let (_, redis) = holdfast.addresses();
    let node = holdfast.another_node(|config| guest.signs_in(config, &redis)).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await.at(&node);
    ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);

    guest.is_told(&holdfast, &["resetpass", ">another"]).await;
    guest.is_thrown_out(&holdfast).await;
    says(&node, &holdfast, "refuses our commands").await;
    let refused = ada.holds_seats(event, &["stalls-A-2"]).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(holdfast.flag(event, "stalls-A-2").await, None, "nothing was held on the quiet");

    guest.is_told(&holdfast, &["resetpass", &format!(">{}", guest.password)]).await;
    says(&node, &holdfast, "ok").await;
    eventually("seats can be held again", async || {
        (ada.holds_seats(event, &["stalls-A-2"]).await.status == 201).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lets_us_run_no_scripts_is_not_sold_without() {
    let holdfast = Holdfast::start().await;
    let guest = Guest::at(&holdfast).await;
    let (_, redis) = holdfast.addresses();
    let node = holdfast.another_node(|config| guest.signs_in(config, &redis)).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await.at(&node);
    let hold = ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    for rights in ["-@scripting", "-eval -evalsha"] {
        guest.is_told(&holdfast, &rights.split(' ').collect::<Vec<_>>()).await;
        says(&node, &holdfast, "refuses our commands").await;
        let refused = ada.holds_seats(event, &["stalls-A-2"]).await;
        assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{rights}: {}", refused.body);
        assert_eq!(holdfast.flag(event, "stalls-A-2").await, None);
        guest.is_told(&holdfast, &["+@all"]).await;
        says(&node, &holdfast, "ok").await;
    }
    let order = ada.checks_out(&hold).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

/// In front of Redis: while it loads, every command is answered as Redis does then, also the first ones on a new wire.
async fn in_front_of(socket: String, is_loading: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            let (socket, is_loading) = (socket.clone(), Arc::clone(&is_loading));
            tokio::spawn(async move {
                if is_loading.load(Ordering::SeqCst) {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = wire.read(&mut bytes).await {
                        let commands = bytes[..count].windows(1).filter(|byte| byte[0] == b'*').count();
                        let answer = "-LOADING Redis is loading the dataset in memory\r\n".repeat(commands);
                        if wire.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                } else if let Ok(mut redis) = UnixStream::connect(&socket).await {
                    // Until it is restarted, which ends every wire.
                    let restarted = async {
                        while !is_loading.load(Ordering::SeqCst) {
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut wire, &mut redis) => {}
                        () = restarted => {}
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_loads_its_data_is_waited_for_and_not_given_up() {
    let holdfast = Holdfast::start().await;
    let (_, redis) = holdfast.addresses();
    let address = redis.strip_prefix("redis+unix://").expect("a socket");
    let (socket, space) = address.split_once("?db=").expect("a key space");
    let is_loading = Arc::new(AtomicBool::new(false));
    let port = in_front_of(socket.to_owned(), Arc::clone(&is_loading)).await;
    let url = format!("redis://127.0.0.1:{port}/{space}");
    let node = holdfast.another_node(|config| config.redis_url = Some(SecretString::from(url))).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await.at(&node);
    ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    for seat in ["stalls-A-2", "stalls-A-3"] {
        is_loading.store(true, Ordering::SeqCst);
        says(&node, &holdfast, "refuses our commands").await;
        assert_eq!(ada.holds_seats(event, &[seat]).await.status, 503);
        is_loading.store(false, Ordering::SeqCst);
        says(&node, &holdfast, "ok").await;
        eventually("seats can be held again", async || {
            (ada.holds_seats(event, &[seat]).await.status == 201).then_some(())
        })
        .await;
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_no_longer_knows_our_key_sells_nothing_and_is_counted() {
    let holdfast = Holdfast::with(|config| {
        config.reconcile_seconds = 1;
        config.stripe_secret_key = Some(SecretString::from("sk_test_that_was_revoked"));
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    let refused = async || {
        let metrics = holdfast.anyone().get_text("/metrics").await;
        let line = metrics.lines().find_map(|line| {
            line.strip_prefix("holdfast_stripe_calls_total{label=\"unauthorized\"} ")?.parse::<u32>().ok()
        });
        line.unwrap_or_default()
    };
    // However often, and an operator can see it.
    eventually("Stripe has refused us twice", async || {
        let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
        assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{}", answer.body);
        assert!(!answer.body.to_string().contains("sk_test"), "{}", answer.body);
        (refused().await >= 2).then_some(())
    })
    .await;
    let order = ada.get("/v1/orders").await.expect(200)["items"][0].clone();
    assert_eq!(order["status"], "awaiting_payment", "it is nobody's fault who ordered");
    assert_ne!(ada.state_of(event, "stalls-A-1").await, "sold");
    assert_eq!(holdfast.claim(event, "stalls-A-1").await.map(|(state, _)| state).as_deref(), Some("held"));

    // With the right key everything goes on: the same order is paid.
    let node = holdfast
        .another_node(|config| config.stripe_secret_key = Some(SecretString::from("sk_test_of_the_harness")))
        .await;
    let ada = ada.at(&node);
    let payable = eventually("it can be paid", async || {
        let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
        (answer.status == 201 && !answer.body["payment"].is_null()).then_some(answer.body)
    })
    .await;
    assert_eq!(payable["id"], order["id"]);
    holdfast.pay(&payable, GOOD_CARD).await.expect(200);
    ada.sees(&payable, "confirmed").await;
}
