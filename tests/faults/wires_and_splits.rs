//! Answers that are lost on the wire, and a Redis that is two: what was done is found again, and no seat is sold twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::stand::{Answer, Database, House, Memory, Node, Person, Topology, Weather, eventually, nodes_url};

fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}

fn holds(event: &Value) -> String {
    format!("/v1/events/{}/holds", id(event))
}

/// Asks under one key until there is an answer that stays.
async fn again(person: &Person, path: &str, body: &Value, key: Uuid) -> Value {
    eventually(&format!("the same call to {path} is answered"), async || {
        let answer =
            person.asks("POST", path, Some(body), key).await.filter(|answer| !answer.is_passing())?;
        assert_eq!(answer.status, 201, "{}", answer.body);
        Some(answer.body)
    })
    .await
}

async fn pays(house: &House, person: &Person, order: &Value) {
    house.pay(order, "pm_card_visa").unwrap();
    let path = format!("/v1/orders/{}", id(order));
    eventually("the order is confirmed", async || {
        let now = person.insists("GET", &path, None).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
}

async fn is_sold(house: &House, person: &Person, event: &Value, seat: &str) {
    let path = format!("/v1/events/{}/availability", id(event));
    eventually(&format!("{} shows {seat} as sold", house.name), async || {
        let picture = person.insists("GET", &path, None).await;
        (picture.body["taken"][seat] == "sold").then_some(())
    })
    .await;
}

async fn nothing_is_lost(house: &House, database: &Database, memory: &Memory, key_space: u32) {
    eventually("every promise holds", async || {
        let audit = house.audit(database, memory, key_space).await;
        audit.status.success().then_some(())
    })
    .await;
    let homeless = house.homeless_money(&house.pg(database)).await;
    assert!(homeless.is_empty(), "{homeless:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_answer_was_lost_is_found_again() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let wire = memory.another_wire().await;
    let url = format!("redis://{}/0", wire.addr);
    let house =
        House::open("answers", &database, &memory, 0, |settings| settings.with("REDIS_URL", &url)).await;
    let mut node = house.node("only");
    node.start().await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let ada = house.customer(&house.pg(&database)).await;
    // Until scripts are known and the wire is warm.
    let warm = ada.insists("POST", &holds(&event), json!({ "seats": ["stalls-2-1"] })).await;
    assert_eq!(warm.status, 201, "{}", warm.body);
    let flags = async || {
        memory.instances[0].ask::<Vec<String>>(&["KEYS", "isTaken:*"]).await.unwrap_or_default().len()
    };
    let before = flags().await;

    // A slow wire, so that there is time between the script and its answer.
    wire.weather(Weather::slow(Duration::from_millis(150)));
    let (wish, key) = (json!({ "seats": ["stalls-1-1", "stalls-1-2"] }), Uuid::now_v7());
    let (lost, ()) =
        tokio::join!(async { ada.asks("POST", &holds(&event), Some(&wish), key).await }, async {
            while flags().await < before + 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            wire.weather(Weather::CUT);
        },);
    assert!(lost.as_ref().is_none_or(|answer| answer.status == 503), "{lost:?}");
    let left = memory.instances[0].ask::<Vec<String>>(&["KEYS", "hold:*"]).await.unwrap_or_default().len();
    wire.weather(Weather::FAIR);

    let hold = again(&ada, &holds(&event), &wish, key).await;
    assert_eq!(hold["seats"].as_array().map(Vec::len), Some(2));
    assert_eq!(flags().await, before + 2, "no seat is held besides");
    let now = memory.instances[0].ask::<Vec<String>>(&["KEYS", "hold:*"]).await.unwrap_or_default().len();
    assert_eq!(now, left, "it is the hold that was made then");
    let order = again(&ada, "/v1/orders", &json!({ "hold_id": hold["id"] }), Uuid::now_v7()).await;
    pays(&house, &ada, &order).await;
    nothing_is_lost(&house, &database, &memory, 0).await;
    node.stop();
}

/// What becomes of the next commit of an order.
const ARRIVES: u8 = 0;
const ANSWER_IS_LOST: u8 = 1;
const NEVER_ARRIVES: u8 = 2;

/// A wire to Postgres that is cut in the moment of a commit.
struct Scissors {
    addr: SocketAddr,
    next: Arc<AtomicU8>,
}

impl Scissors {
    async fn before(postgres: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (addr, next) = (listener.local_addr().expect("an address"), Arc::new(AtomicU8::new(ARRIVES)));
        let shared = Arc::clone(&next);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(postgres).await else { continue };
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { addr, next }
    }
}

fn has(piece: &[u8], words: &str) -> bool {
    piece.windows(words.len()).any(|part| part == words.as_bytes())
}

async fn carry(mut client: TcpStream, mut server: TcpStream, next: Arc<AtomicU8>) -> Option<()> {
    let (mut there, mut back) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut writes_an_order = false;
    loop {
        tokio::select! {
            read = client.read(&mut there) => {
                let piece = &there[..read.ok().filter(|&read| read > 0)?];
                writes_an_order |= has(piece, "insert into orders");
                if writes_an_order && has(piece, "COMMIT") {
                    writes_an_order = false;
                    match next.swap(ARRIVES, Ordering::SeqCst) {
                        NEVER_ARRIVES => break,
                        ANSWER_IS_LOST => {
                            server.write_all(piece).await.ok()?;
                            // It has answered, so it has committed.
                            let answered = server.read(&mut back).await.ok()?;
                            assert!(answered > 0, "it has hung up instead");
                            break;
                        }
                        _ => {}
                    }
                }
                server.write_all(piece).await.ok()?;
            }
            read = server.read(&mut back) => {
                client.write_all(&back[..read.ok().filter(|&read| read > 0)?]).await.ok()?;
            }
        }
    }
    client.set_zero_linger().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_found_again() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let scissors = Scissors::before(database.primary_address()).await;
    // Statements that are not remembered are sent in full each time, within sight.
    let url = nodes_url(scissors.addr, "commits?statement-cache-capacity=0");
    let house =
        House::open("commits", &database, &memory, 1, |settings| settings.with("DATABASE_URL", &url)).await;
    let mut node = house.node("only");
    node.start().await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let pg = house.pg(&database);
    let ada = house.customer(&pg).await;
    for (number, fate) in [ANSWER_IS_LOST, NEVER_ARRIVES, ANSWER_IS_LOST].into_iter().enumerate() {
        let seat = format!("stalls-1-{}", number + 1);
        let hold = again(&ada, &holds(&event), &json!({ "seats": [seat] }), Uuid::now_v7()).await;
        let (checkout, key) = (json!({ "hold_id": hold["id"] }), Uuid::now_v7());
        let written = async || {
            let (count,): (i64,) =
                sqlx::query_as("select count(*) from orders").fetch_one(&pg).await.expect("Postgres answers");
            usize::try_from(count).expect("few")
        };
        scissors.next.store(fate, Ordering::SeqCst);
        let cut = eventually("the wire was cut in a commit", async || {
            let answer = ada.asks("POST", "/v1/orders", Some(&checkout), key).await;
            (scissors.next.load(Ordering::SeqCst) == ARRIVES).then_some(answer)
        })
        .await;
        assert!(cut.as_ref().is_none_or(Answer::is_passing), "{cut:?}");
        assert_eq!(
            written().await,
            number + usize::from(fate == ANSWER_IS_LOST),
            "what was cut was this commit"
        );

        let order = again(&ada, "/v1/orders", &checkout, key).await;
        assert_eq!(written().await, number + 1, "one order, whatever the wire did");
        pays(&house, &ada, &order).await;
    }
    assert_eq!(house.sandbox.controls().ledger().intents.len(), 3, "one payment each");
    nothing_is_lost(&house, &database, &memory, 1).await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_died_with_holds_that_nobody_else_had_sells_nothing_twice() {
    let (mut memory, database) = (Memory::start(Topology::Sentinel).await, Database::start().await);
    let house = House::open("lost", &database, &memory, 1, |settings| settings).await;
    let mut node = house.node("only");
    node.start().await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let pg = house.pg(&database);
    let (ada, ben) = (house.customer(&pg).await, house.customer(&pg).await);
    let wish = json!({ "seats": ["stalls-1-1", "stalls-1-2"] });

    let master = memory.masters().await[0];
    let (lost, early) = tokio::join!(memory.lose_writes(master, Duration::from_secs(3)), async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        again(&ada, &holds(&event), &wish, Uuid::now_v7()).await
    });
    assert!(lost, "somebody followed the master");
    let late = eventually("the seats are held by somebody else", async || {
        let answer = ben.asks("POST", &holds(&event), Some(&wish), Uuid::now_v7()).await?;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    // Both think that the seats are theirs.
    let (hers, his) = (json!({ "hold_id": early["id"] }), json!({ "hold_id": late["id"] }));
    let (hers, his) =
        tokio::join!(ada.insists("POST", "/v1/orders", hers), ben.insists("POST", "/v1/orders", his));
    assert!(matches!(hers.status, 404 | 409 | 410), "{}", hers.body);
    assert_eq!(his.status, 201, "{}", his.body);
    pays(&house, &ben, &his.body).await;
    memory.heal().await;
    is_sold(&house, &ben, &event, "stalls-1-1").await;
    nothing_is_lost(&house, &database, &memory, 1).await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_missed_the_end_takes_over_and_all_money_finds_a_home() {
    let (memory, mut database) =
        (Memory::start(Topology::Single).await, Database::start_with_standby().await);
    let house = House::open("behind", &database, &memory, 1, |settings| settings).await;
    let (mut first, mut second) = (house.node("first"), house.node("second"));
    first.start().await;
    second.start().await;
    house.is_served_by(&[&first, &second]).await;
    let event = house.theatre(2).await;
    let pg = house.pg(&database);
    let (ada, ben, eve) = (house.customer(&pg).await, house.customer(&pg).await, house.customer(&pg).await);
    let held = async |person: &Person, seat: &str| {
        again(person, &holds(&event), &json!({ "seats": [seat] }), Uuid::now_v7()).await
    };
    let ordered = async |person: &Person, hold: Value| {
        again(person, "/v1/orders", &json!({ "hold_id": hold["id"] }), Uuid::now_v7()).await
    };
    let hers = ordered(&ada, held(&ada, "stalls-1-1").await).await;

    database.standby_misses_the_rest().await;
    pays(&house, &ada, &hers).await;
    let his = ordered(&ben, held(&ben, "stalls-1-2").await).await;
    pays(&house, &ben, &his).await;
    is_sold(&house, &ben, &event, "stalls-1-2").await;
    database.fail_over().await;
    let pg = house.pg(&database);
    let known: Vec<(String,)> = sqlx::query_as("select id::text from orders").fetch_all(&pg).await.unwrap();
    assert_eq!(known, [(id(&hers).to_owned(),)], "the standby missed what came after");

    let path = format!("/v1/orders/{}", id(&hers));
    eventually("an order that is known is confirmed by what Stripe knows", async || {
        let now = ada.insists("GET", &path, None).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
    let intents = house.sandbox.controls().ledger().intents.into_iter();
    let of_his: Vec<_> = intents
        .filter(|intent| intent.order_id.as_deref() == Some(id(&his)))
        .map(|intent| (intent.id,))
        .collect();
    eventually("money of an order that nobody knows waits for a person", async || {
        let parked: Vec<(String,)> =
            sqlx::query_as("select payment_intent from parked_payments").fetch_all(&pg).await.unwrap();
        (parked.len() == 1 && parked == of_his).then_some(())
    })
    .await;
    // The seats of which nobody knows anything any more are somebody else's, and nobody else's are.
    let bought = ordered(&eve, held(&eve, "stalls-1-2").await).await;
    pays(&house, &eve, &bought).await;
    for seat in ["stalls-1-1", "stalls-1-2"] {
        is_sold(&house, &eve, &event, seat).await;
    }
    nothing_is_lost(&house, &database, &memory, 1).await;
    first.stop();
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_nodes_on_a_master_of_yesterday_sell_nothing_twice() {
    let (mut memory, database) = (Memory::start(Topology::Sentinel).await, Database::start().await);
    // Long enough for four answers in turn on a busy machine.
    let house =
        House::open("split", &database, &memory, 1, |settings| settings.with("HOLD_SECONDS", 12)).await;
    let master = memory.masters().await[0];
    let (mut knows, mut does_not) = (house.node("knows"), house.node("does-not"));
    // As if nobody had told it: this one stays with the master of yesterday, past the wire that is cut.
    let usual = does_not.settings.clone();
    does_not.settings = usual.clone().with("REDIS_URL", format!("{}/1", memory.instances[master].address()));
    knows.start().await;
    does_not.start().await;
    house.is_served_by(&[&knows]).await;
    let event = house.theatre(2).await;
    let pg = house.pg(&database);
    let (ada, ben) = (house.customer(&pg).await, house.customer(&pg).await);

    memory.instances[master].wire.weather(Weather::CUT);
    eventually("the replica is a master, too", async || (memory.masters().await.len() == 2).then_some(()))
        .await;
    let at = async |node: &Node, person: &Person, path: &str, body: Value| {
        house.is_served_by(&[node]).await;
        let key = Uuid::now_v7();
        eventually("an answer that stays", async || {
            person.asks("POST", path, Some(&body), key).await.filter(|answer| !answer.is_passing())
        })
        .await
    };
    for (number, seat) in ["stalls-1-1", "stalls-1-2", "stalls-1-3"].into_iter().enumerate() {
        let wish = json!({ "seats": [seat] });
        let hers = at(&knows, &ada, &holds(&event), wish.clone()).await;
        let his = at(&does_not, &ben, &holds(&event), wish).await;
        assert_eq!(
            (hers.status, his.status),
            (201, 201),
            "both have a Redis that grants: {} {}",
            hers.body,
            his.body
        );
        let (hers, his) = (json!({ "hold_id": hers.body["id"] }), json!({ "hold_id": his.body["id"] }));
        // Whoever comes to the till first has the seat, at whichever node.
        let (sold, refused, buyer) = if number % 2 == 0 {
            let sold = at(&knows, &ada, "/v1/orders", hers).await;
            (sold, at(&does_not, &ben, "/v1/orders", his).await, &ada)
        } else {
            let sold = at(&does_not, &ben, "/v1/orders", his).await;
            (sold, at(&knows, &ada, "/v1/orders", hers).await, &ben)
        };
        assert_eq!(sold.status, 201, "{}", sold.body);
        assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"), "{}", refused.body);
        pays(&house, buyer, &sold.body).await;
    }
    // The master of yesterday hears of it and follows: it takes no more writes, and whoever still asks it is told so.
    memory.instances[master].wire.weather(Weather::FAIR);
    eventually("there is one master", async || (memory.masters().await.len() == 1).then_some(())).await;
    house.is_served_by(&[&does_not]).await;
    let wish = json!({ "seats": ["stalls-2-1"] });
    let refused = ben.asks("POST", &holds(&event), Some(&wish), Uuid::now_v7()).await.expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.body);
    does_not.stop();
    does_not.settings = usual;
    does_not.start().await;
    memory.heal().await;
    house.is_served_by(&[&knows, &does_not]).await;
    for seat in ["stalls-1-1", "stalls-1-2", "stalls-1-3"] {
        is_sold(&house, &ada, &event, seat).await;
    }
    nothing_is_lost(&house, &database, &memory, 1).await;
    knows.stop();
    does_not.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_in_the_middle_of_refunds_sends_none_twice() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let house = House::open("refunds", &database, &memory, 1, |settings| settings).await;
    let (mut first, mut second) = (house.node("first"), house.node("second"));
    first.start().await;
    house.is_served_by(&[&first]).await;
    let event = house.theatre(3).await;
    let ada = house.customer(&house.pg(&database)).await;
    for number in 0..24 {
        let wish = json!({ "seats": [format!("stalls-{}-{}", number / 8 + 1, number % 8 + 1)] });
        let hold = again(&ada, &holds(&event), &wish, Uuid::now_v7()).await;
        let order = again(&ada, "/v1/orders", &json!({ "hold_id": hold["id"] }), Uuid::now_v7()).await;
        pays(&house, &ada, &order).await;
    }
    // Slow enough to be caught in the middle.
    let controls = house.sandbox.controls();
    controls.set_faults(holdfast::sandbox::Faults { delay_ms: 200, ..Default::default() });
    let cancelled = house
        .organiser()
        .insists("POST", &format!("/v1/admin/events/{}/cancel", id(&event)), json!({}))
        .await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let given_back = || controls.ledger().intents.iter().filter(|intent| intent.amount_refunded > 0).count();
    eventually("some money is back", async || (given_back() >= 3).then_some(())).await;
    first.kill();
    assert!(given_back() < 24, "it was in the middle");
    controls.clear_faults();
    second.start().await;
    house.is_served_by(&[&second]).await;
    eventually("all money is back", async || {
        let orders = ada.insists("GET", "/v1/orders?limit=100", None).await;
        let items = orders.body["items"].as_array()?.clone();
        items.iter().all(|order| order["status"] == "refunded").then_some(())
    })
    .await;
    for intent in controls.ledger().intents {
        assert_eq!(intent.amount_refunded, intent.amount_received, "once: {intent:?}");
    }
    nothing_is_lost(&house, &database, &memory, 1).await;
    second.stop();
}
