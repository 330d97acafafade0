//! Redis answers, and the answer is no: each no is an outage that is told, counted and over when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdfast::ids::EventId;
use holdfast::seats::keys::Keys;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Answer, Client, Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

fn is_outage(what: &str, answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{what}: {}", answer.body);
    assert!(answer.header("retry-after").is_some(), "{what} says when to come back");
}

async fn flags(holdfast: &Holdfast, event: EventId, seats: &[&str]) -> Vec<Option<String>> {
    let mut flags = Vec::new();
    for seat in seats {
        flags.push(holdfast.flag(event, seat).await);
    }
    flags
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_kind_holds_nothing_by_halves() {
    let holdfast = Holdfast::start().await;
    let ada = holdfast.customer().await;
    for name in ["taken", "sold", "blocked", "deadlines", "owners", "feed"] {
        let event = holdfast.theatre().await;
        let key = format!("{name}:{{{event}}}");
        // Somebody's slip of the hand: everything that was there is gone, and something else stands in its place.
        let other = if name == "feed" { ["SET", &key, "nothing"] } else { ["XADD", &key, "*"] };
        holdfast.redis_command(&["DEL", &key]).await;
        let words = if name == "feed" { other.to_vec() } else { [&other[..], &["what", "nothing"]].concat() };
        holdfast.redis_command(&words).await;

        let answer = ada.holds_seats(event, &PAIR).await;
        if answer.status == 201 {
            // A script that need not look there does not mind: then the hold is whole.
            assert!(flags(&holdfast, event, &PAIR).await.iter().all(Option::is_some), "{name}");
            continue;
        }
        is_outage(name, &answer);
        assert_eq!(
            flags(&holdfast, event, &PAIR).await,
            [None, None],
            "half of a hold is left beside a {name} of another kind"
        );

        // Once the key is gone, or put right, the event sells again.
        holdfast.redis_command(&["DEL", &key]).await;
        holdfast.redis_command(&["DEL", &Keys::of(event).meta()]).await;
        eventually(&format!("seats are held again after a {name} of another kind"), async || {
            (ada.holds_seats(event, &PAIR).await.status == 201).then_some(())
        })
        .await;
    }
    // A flag that cannot be read is a flag, for nobody: the rest of the cart is not held either.
    let event = holdfast.theatre().await;
    let ordinal =
        holdfast.app().catalog.chart(event).await.expect("a chart").ordinal(PAIR[1]).expect("a seat");
    let key = Keys::of(event).flag(ordinal);
    holdfast.redis_command(&["RPUSH", &key, "nothing"]).await;
    let answer = ada.holds_seats(event, &PAIR).await;
    match answer.status {
        201 => assert!(flags(&holdfast, event, &PAIR).await.iter().all(Option::is_some)),
        _ => assert_eq!(holdfast.flag(event, PAIR[0]).await, None, "{}", answer.body),
    }
}

/// Passes commands on to Redis one by one, and answers scripts itself while it is told to.
struct Grudge {
    says: watch::Sender<Option<&'static str>>,
    scripts: Arc<AtomicUsize>,
    port: u16,
}

impl Grudge {
    async fn before(socket: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let grudge = Self { says: watch::Sender::new(None), scripts: Arc::default(), port };
        let (says, scripts) = (grudge.says.subscribe(), Arc::clone(&grudge.scripts));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let redis = UnixStream::connect(&socket).await.expect("Redis runs");
                let (says, scripts) = (says.clone(), Arc::clone(&scripts));
                tokio::spawn(async move {
                    let (from_client, mut to_client) = client.into_split();
                    let (from_redis, mut to_redis) = redis.into_split();
                    let (mut from_client, mut from_redis) =
                        (BufReader::new(from_client), BufReader::new(from_redis));
                    while let Some(command) = frame(&mut from_client).await {
                        let no = *says.borrow();
                        let text = String::from_utf8_lossy(&command).to_ascii_uppercase();
                        let is_script = text.contains("\r\nEVAL");
                        let answer = match no {
                            Some(no) if is_script => {
                                scripts.fetch_add(1, Ordering::Relaxed);
                                Some(format!("-{no}\r\n").into_bytes())
                            }
                            _ if to_redis.write_all(&command).await.is_ok() => frame(&mut from_redis).await,
                            _ => None,
                        };
                        let Some(answer) = answer else { return };
                        if to_client.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        grudge
    }

    fn says(&self, no: Option<&'static str>) {
        self.says.send_replace(no);
    }

    fn scripts(&self) -> usize {
        self.scripts.swap(0, Ordering::Relaxed)
    }
}

/// One command, or one answer, of Redis' protocol, as its bytes; nothing at the end.
async fn frame(from: &mut (impl AsyncBufReadExt + AsyncReadExt + Unpin + Send)) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut open = 1_i64;
    while open > 0 {
        open -= 1;
        let begun = bytes.len();
        if from.read_until(b'\n', &mut bytes).await.ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&bytes[begun..]).into_owned();
        let size = line[1..].trim().parse::<i64>().unwrap_or(0);
        match line.as_bytes()[0] {
            b'*' => open += size.max(0),
            b'$' if size >= 0 => {
                let begun = bytes.len();
                bytes.resize(begun + usize::try_from(size).ok()? + 2, 0);
                from.read_exact(&mut bytes[begun..]).await.ok()?;
            }
            _ => {}
        }
    }
    Some(bytes)
}

/// How many hold calls this node has counted as outages.
async fn outages(node: &Client) -> u64 {
    let page = node.get_text("/metrics").await;
    let line = page.lines().find_map(|line| line.strip_prefix("holdfast_holds_total{label=\"outage\"} "));
    line.map_or(0, |count| count.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_redis_says_no_with_is_an_outage_that_is_counted() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (_, redis) = holdfast.addresses();
    let (socket, database) =
        redis.strip_prefix("redis+unix://").and_then(|rest| rest.split_once("?db=")).expect("a socket");
    let grudge = Grudge::before(socket.to_owned()).await;
    let url = format!("redis://127.0.0.1:{}/{database}", grudge.port);
    let node = holdfast.another_node(|config| config.redis_url = Some(SecretString::from(url))).await;
    let ada = holdfast.customer().await.at(&node);
    let hold = ada.holds_seats(event, &["stalls-D-1"]).await.expect(201);

    // What may pass is asked once more at once; what will not is told.
    for (no, may_pass) in [
        ("READONLY You can't write against a read only replica.", true),
        ("LOADING Redis is loading the dataset in memory", true),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true),
        ("CLUSTERDOWN Hash slot not served", true),
        ("TRYAGAIN Multiple keys request during rehashing of slot", true),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", false),
        ("NOREPLICAS Not enough good replicas to write.", false),
        ("OOM command not allowed when used memory > 'maxmemory'.", false),
        (
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            false,
        ),
        ("NOPERM this user has no permissions to run the 'evalsha' command", false),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", false),
        ("ERR Error running script: something new", false),
    ] {
        let before = outages(&ada).await;
        grudge.says(Some(no));
        grudge.scripts();
        let answer = ada.holds_seats(event, &PAIR).await;
        is_outage(no, &answer);
        assert!(grudge.scripts() >= if may_pass { 2 } else { 1 }, "{no}");
        assert_eq!(outages(&ada).await, before + 1, "{no} is counted");
        assert_eq!(ada.delete(&format!("/v1/holds/{}", id(&hold))).await.status, 503, "{no}");
        grudge.says(None);
        assert_eq!(flags(&holdfast, event, &PAIR).await, [None, None], "{no}");
    }
    // Nothing of it lasts: the same node goes on with the same hold.
    let order = ada.checks_out(&hold).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    ada.holds_seats(event, &PAIR).await.expect(201);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_grants_nothing_and_takes_everything_back() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    let hold = ben.holds_seats(event, &["stalls-B-1"]).await.expect(201);

    holdfast.redis_command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    is_outage("a hold", &ben.holds_seats(event, &["stalls-C-1"]).await);
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    ben.delete(&format!("/v1/holds/{}", id(&hold))).await.expect(204);
    assert_eq!(holdfast.flag(event, "stalls-B-1").await, None);
    ben.sees_seat(event, "stalls-B-1", "free").await;
    ben.sees_seat(event, PAIR[0], "sold").await;

    holdfast.redis_command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    ben.holds_seats(event, &["stalls-B-1"]).await.expect(201);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_to_what_expires() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 1;
        config.payment_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    ada.holds_seats(event, &PAIR).await.expect(201);
    ada.sees_seat(event, PAIR[0], "free").await;
    // All of this was done without a single notification being sent, or anybody waiting for one.
    let told: Vec<String> =
        holdfast.ask_redis(redis::cmd("CONFIG").arg("GET").arg("notify-keyspace-events")).await;
    assert_eq!(told, ["notify-keyspace-events", ""]);
    let patterns: i64 = holdfast.ask_redis(redis::cmd("PUBSUB").arg("NUMPAT")).await;
    let channels: Vec<String> = holdfast.ask_redis(redis::cmd("PUBSUB").arg("CHANNELS")).await;
    assert_eq!((patterns, channels), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_whose_time_is_gone_or_never_ends_follow_their_orders() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 8;
        config.payment_seconds = 4;
        config.grace_seconds = 30;
    })
    .await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (kept, lost) = (ada.orders(event, &["stalls-A-1"]).await, ada.orders(event, &["stalls-B-1"]).await);
    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    let flag = |seat: &str| Keys::of(event).flag(chart.ordinal(seat).expect("a seat"));

    // Redis' clock jumps an hour ahead for one, and an hour back for the other.
    holdfast.redis_command(&["PERSIST", &flag("stalls-A-1")]).await;
    holdfast.redis_command(&["PEXPIRE", &flag("stalls-B-1"), "1"]).await;
    let second_hold = eventually("the seat whose hold is gone is held by another", async || {
        let answer = ben.holds_seats(event, &["stalls-B-1"]).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    let refused = ben.post("/v1/orders", json!({ "hold_id": id(&second_hold) })).await;
    assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"), "{}", refused.body);
    holdfast.pay(&lost, GOOD_CARD).await.expect(200);
    ada.sees(&lost, "confirmed").await;
    ada.sees_seat(event, "stalls-B-1", "sold").await;

    ada.sees(&kept, "expired").await;
    ben.sees_seat(event, "stalls-A-1", "free").await;
    assert_eq!(holdfast.flag(event, "stalls-A-1").await, None);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_one_event_is_not_swapped_for_seats_of_another() {
    let holdfast = Holdfast::start().await;
    let (here, there) = (holdfast.theatre().await, holdfast.theatre().await);
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(here, &PAIR).await.expect(201);
    let swap = ada.holds(there, json!({ "seats": PAIR, "replaces": id(&hold) })).await;
    assert_eq!((swap.status, swap.code()), (422, "invalid_request"), "{}", swap.body);
    assert_eq!(ada.state_of(there, PAIR[0]).await, "free");
    assert_eq!(ada.get(&format!("/v1/holds/{}", id(&hold))).await.expect(200)["status"], "held");
    ada.checks_out(&hold).await;
    holdfast.every_invariant_holds().await;
}
