//! A node that nobody reads, that may not open another file, whose stores move or are full: it goes on as far as it can, and
//! then again.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::stand::{Database, House, Memory, Node, Person, Topology, eventually, nodes_url};

/// Files that a node may have open where it may not have many.
const FILES: usize = 64;

/// A node that we started by hand, and that ends with the test.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}

async fn is_ready(node: &Node) {
    let http = reqwest::Client::new();
    eventually("the node is ready", async || {
        let asked = http.get(format!("{}/readyz", node.url())).timeout(Duration::from_secs(2)).send().await;
        asked.is_ok_and(|answer| answer.status().is_success()).then_some(())
    })
    .await;
}

async fn buys(house: &House, person: &Person, event: &Value, seat: &str) {
    let path = format!("/v1/events/{}/holds", id(event));
    // Under one key, for an answer may be lost and its hold not.
    let key = Uuid::now_v7();
    let hold = eventually(&format!("{seat} is held"), async || {
        let answer = person.asks("POST", &path, Some(&json!({ "seats": [seat] })), key).await?;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    let order = person.insists("POST", "/v1/orders", json!({ "hold_id": hold["id"] })).await;
    assert_eq!(order.status, 201, "{}", order.body);
    house.pay(&order.body, "pm_card_visa").unwrap();
    let path = format!("/v1/orders/{}", id(&order.body));
    eventually("the order is confirmed", async || {
        let now = person.insists("GET", &path, None).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
}

async fn nothing_is_lost(house: &House, database: &Database, memory: &Memory) {
    eventually("every promise holds", async || {
        house.audit(database, memory, 1).await.status.success().then_some(())
    })
    .await;
    assert!(house.homeless_money(&house.pg(database)).await.is_empty());
}

/// A node sells with its standard error led there, and has more to say than any pipe holds.
async fn sells_with_its_log_at(name: &str, log: Stdio) {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let house = House::open(name, &database, &memory, 1, |settings| settings.with("RUST_LOG", "debug")).await;
    let node = house.node("only");
    let started = Started(node.settings.command(&["serve"]).stderr(log).spawn().expect("it starts"));
    is_ready(&node).await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let ada = house.customer(&house.pg(&database)).await;
    for number in 1..=8 {
        buys(&house, &ada, &event, &format!("stalls-1-{number}")).await;
    }
    let mut chatter = JoinSet::new();
    for _ in 0..20 {
        let ada = ada.clone();
        chatter.spawn(async move {
            for _ in 0..20 {
                let answer = ada.insists("GET", "/v1/orders", None).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
        });
    }
    chatter.join_all().await;
    buys(&house, &ada, &event, "stalls-2-1").await;
    nothing_is_lost(&house, &database, &memory).await;
    drop(started);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_the_log_and_seats_are_sold() {
    sells_with_its_log_at("unread", Stdio::piped()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_of_the_log_is_full_and_seats_are_sold() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a disk that is always full");
    sells_with_its_log_at("full", full.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_file_descriptors_goes_on_when_there_are_some() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let house = House::open("files", &database, &memory, 1, |settings| settings).await;
    let node = house.node("only");
    let usual = node.settings.command(&["serve"]);
    let mut command = Command::new("sh");
    let limited = format!("ulimit -n {FILES}; exec \"$0\" serve");
    command.args(["-c", &limited]).arg(usual.get_program()).env_clear();
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut started = Started(command.stderr(Stdio::null()).spawn().expect("it starts"));
    is_ready(&node).await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let ada = house.customer(&house.pg(&database)).await;
    buys(&house, &ada, &event, "stalls-1-1").await;

    // More visitors than it may have files, and none of them says anything.
    let mut silent = Vec::new();
    for _ in 0..120 {
        silent.push(TcpStream::connect(node.addr).await.expect("the kernel takes the call"));
    }
    let files = format!("/proc/{}/fd", started.0.id());
    eventually("it has no files left", async || {
        let open = std::fs::read_dir(&files).expect("its files").count();
        (open >= FILES).then_some(())
    })
    .await;
    assert!(started.0.try_wait().expect("a child").is_none(), "it lives");
    // Who is connected is served, on the connection that they have.
    for _ in 0..5 {
        let answer = ada.asks("GET", "/v1/orders", None, Uuid::now_v7()).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    drop(silent);
    buys(&house, &ada, &event, "stalls-1-2").await;
    nothing_is_lost(&house, &database, &memory).await;
}

/// Whoever connects there is led to this store, until it is dropped.
struct Door(tokio::task::JoinHandle<()>);

impl Door {
    async fn at(here: SocketAddr, store: SocketAddr) -> Self {
        let listener = TcpListener::bind(here).await.expect("a free address");
        Self(tokio::spawn(async move {
            // Connections end with the door.
            let mut open = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                open.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(store).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        }))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_moves_is_found_by_its_name() {
    let (memory, database) = (Memory::start(Topology::Single).await, Database::start().await);
    let redis: SocketAddr =
        memory.instances[0].address().trim_start_matches("redis://").parse().expect("an address");
    let postgres = database.primary_address();
    let (old, new) = ("127.0.0.1", "127.0.0.2");
    let free =
        || std::net::TcpListener::bind(("127.0.0.2", 0)).expect("a port").local_addr().expect("bound").port();
    let (redis_port, postgres_port) = (free(), free());
    let doors = async |host: &str| {
        let here = |port| SocketAddr::new(host.parse().expect("an address"), port);
        [Door::at(here(redis_port), redis).await, Door::at(here(postgres_port), postgres).await]
    };
    let house = House::open("names", &database, &memory, 1, |settings| {
        settings
            .with("REDIS_URL", format!("redis://redis.test:{redis_port}/1"))
            .with("DATABASE_URL", nodes_url(format_args!("postgres.test:{postgres_port}"), "names"))
    })
    .await;
    let hosts = house.folder.path("hosts");
    let lead_to = |host: &str| {
        let lines = format!("127.0.0.1 localhost\n{host} redis.test\n{host} postgres.test\n");
        std::fs::write(&hosts, lines).expect("a file");
    };
    lead_to(old);
    let mut first = Some(doors(old).await);
    let node = house.node("only");
    let usual = node.settings.command(&["serve"]);
    // A table of names of its own, for this process alone.
    let mut command = Command::new("unshare");
    command.args(if rustix::process::geteuid().is_root() {
        ["--mount"].as_slice()
    } else {
        &["--map-root-user", "--mount"]
    });
    command.args(["sh", "-c", "mount --bind \"$1\" /etc/hosts && exec \"$0\" serve"]);
    command
        .arg(usual.get_program())
        .arg(&hosts)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let started = Started(command.stderr(Stdio::null()).spawn().expect("util-linux is installed"));
    is_ready(&node).await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let ada = Arc::new(house.customer(&house.pg(&database)).await);
    buys(&house, &ada, &event, "stalls-1-1").await;

    // Both stores are gone from where they were, and the name leads elsewhere; then they are there.
    drop(first.take());
    let path = format!("/v1/events/{}/holds", id(&event));
    // A seat of its own: a connection that is still open for a moment may take the call, and lose the answer.
    let told = ada.asks("POST", &path, Some(&json!({ "seats": ["stalls-2-1"] })), Uuid::now_v7()).await;
    assert!(told.is_none_or(|answer| answer.status == 503));
    lead_to(new);
    let second = doors(new).await;
    buys(&house, &ada, &event, "stalls-1-2").await;
    nothing_is_lost(&house, &database, &memory).await;
    drop((started, second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let (memory, mut database) = (Memory::start(Topology::Single).await, Database::start().await);
    let house = House::open("full-disk", &database, &memory, 1, |settings| settings).await;
    let mut node = house.node("only");
    node.start().await;
    house.is_served_by(&[&node]).await;
    let event = house.theatre(2).await;
    let ada = house.customer(&house.pg(&database)).await;
    buys(&house, &ada, &event, "stalls-1-1").await;
    let path = format!("/v1/events/{}/holds", id(&event));
    let held = |seat: &str| json!({ "seats": [seat] });
    let first = ada.insists("POST", &path, held("stalls-1-2")).await;
    let order = ada.insists("POST", "/v1/orders", json!({ "hold_id": first.body["id"] })).await;
    assert_eq!(order.status, 201, "{}", order.body);
    let hold = ada.insists("POST", &path, held("stalls-1-3")).await;
    assert_eq!(hold.status, 201, "{}", hold.body);

    database.fill_the_disk();
    let (checkout, key) = (json!({ "hold_id": hold.body["id"] }), Uuid::now_v7());
    for _ in 0..3 {
        let answer = ada.asks("POST", "/v1/orders", Some(&checkout), key).await.expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.body);
    }
    // The money comes all the same, and there is nowhere to write it down.
    house.pay(&order.body, "pm_card_visa").unwrap();

    // Somebody makes room and starts Postgres anew, should it have ended.
    database.crash_and_restart().await;
    let order = format!("/v1/orders/{}", id(&order.body));
    eventually("what was paid meanwhile is confirmed", async || {
        let now = ada.insists("GET", &order, None).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
    let next = eventually("the same checkout goes on", async || {
        let answer = ada.asks("POST", "/v1/orders", Some(&checkout), key).await?;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    house.pay(&next, "pm_card_visa").unwrap();
    eventually("all three are sold", async || {
        let orders = ada.insists("GET", "/v1/orders", None).await;
        let items = orders.body["items"].as_array()?;
        (items.len() == 3 && items.iter().all(|order| order["status"] == "confirmed")).then_some(())
    })
    .await;
    nothing_is_lost(&house, &database, &memory).await;
    node.stop();
}
