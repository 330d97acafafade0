//! Behind Sentinel the service finds the new master by itself, and tells an outage in time until then.

use std::process::Child;
use std::time::{Duration, Instant};

use holdfast::ids::AccountId;
use holdfast::seats::SeatsError;
use holdfast::stores::redis::Redis;
use rustix::process::{Pid, Signal, kill_process};

use crate::seats_support::{House, ask, folder, free_ports, open_rules, plan, start, start_with, text, up};
use crate::support::eventually;

/// A second where the machine is idle. On a busy one Sentinel sees time jump, and then trusts nothing for half a
/// minute before it decides.
const PROMOTION: Duration = Duration::from_secs(90);

/// A master, its replica and one Sentinel, which is enough to decide alone.
struct Group {
    master: Child,
    others: [Child; 2],
    ports: [String; 2],
    url: String,
}

impl Group {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings_of_the_master: &[&str]) -> Self {
        let [[master, replica], [sentinel, _], _] =
            free_ports().map(|pair| pair.map(|port| port.to_string()));
        let first = start(&folder(), &[&["--port", &master], settings_of_the_master].concat());
        up(&format!("redis://127.0.0.1:{master}")).await;
        let second = start(&folder(), &["--port", &replica, "--replicaof", "127.0.0.1", &master]);
        let group = Self {
            master: first,
            others: [second, guard(&sentinel, &master)],
            url: format!("redis+sentinel://127.0.0.1:{sentinel}/main/2"),
            ports: [master, sentinel.clone()],
        };
        // Until Sentinel knows the replica and the replica has caught up there is nobody to promote.
        let watcher = House::at(&format!("redis://127.0.0.1:{sentinel}")).await;
        let began = Instant::now();
        loop {
            let mut ask = redis::cmd("SENTINEL");
            let known: Result<Vec<Vec<String>>, _> =
                watcher.redis.read(ask.arg("REPLICAS").arg("main")).await;
            let linked = |replica: &Vec<String>| {
                replica.windows(2).any(|pair| pair[0] == "master-link-status" && pair[1] == "ok")
            };
            if known.is_ok_and(|replicas| replicas.iter().any(linked)) {
                return group;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "sentinel does not see the replica");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A Sentinel of this master.
fn guard(port: &str, master: &str) -> Child {
    let dir = folder();
    let config = dir.join("sentinel.conf");
    let lines = [
        format!("port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master} 1"),
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000".to_owned(),
    ];
    std::fs::write(&config, lines.join("\n")).unwrap();
    start_with(&dir, &[text(&config), "--sentinel"])
}

fn end(child: &mut Child) {
    drop(child.stdin.take());
    let _ = child.wait();
}

impl Drop for Group {
    fn drop(&mut self) {
        end(&mut self.master);
        self.others.iter_mut().for_each(end);
    }
}

#[tokio::test]
async fn a_master_that_dies_is_replaced_without_a_restart_of_ours() {
    let mut group = Group::start().await;
    let house = House::at(&group.url).await;
    let event = house.event(&[9], &open_rules()).await;
    house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    let before = house.redis.run_id().await.unwrap();
    assert!(house.redis.dedicated().await.is_ok());

    end(&mut group.master);
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = house.engine.hold(&ask(event, AccountId::new(), &[1])).await;
        assert!(asked.elapsed() < Duration::from_secs(2), "an outage is told in time: {:?}", asked.elapsed());
        match answer {
            Ok(_) => break,
            // The loss of what was not yet replicated is a picture to rebuild, never a wrong answer.
            Err(SeatsError::NotReady(_)) => {
                house.engine.load(&plan(event, 2, &[9], &open_rules(), vec![])).await.unwrap();
            }
            Err(SeatsError::Redis(_)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(began.elapsed() < PROMOTION, "nobody took over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_ne!(house.redis.run_id().await.unwrap(), before, "another process answers");
}

#[tokio::test]
async fn a_master_that_is_named_no_more_is_left_although_it_takes_itself_for_one() {
    // It cannot be told: as if the line to it were cut for Sentinel alone.
    let deaf = ["--rename-command", "SLAVEOF", "", "--rename-command", "REPLICAOF", ""];
    let group = Group::with(&deaf).await;
    let house = House::at(&group.url).await;
    let before = house.redis.run_id().await.unwrap();
    let sentinel = House::at(&format!("redis://127.0.0.1:{}", group.ports[1])).await;
    let fails_over = async || {
        // Refused while Sentinel has just decided something else.
        let mut asked = redis::cmd("SENTINEL");
        asked.arg("FAILOVER").arg("main");
        asked.query_async::<String>(&mut sentinel.redis.clone()).await.ok()
    };
    eventually("Sentinel promotes the replica", fails_over).await;
    let began = Instant::now();
    while !house.redis.run_id().await.is_ok_and(|now| now != before) {
        assert!(began.elapsed() < PROMOTION, "it stays with who was master");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let role: Vec<redis::Value> = house.redis.read(&redis::cmd("ROLE")).await.unwrap();
    assert_eq!(redis::from_redis_value_ref::<String>(&role[0]).unwrap(), "master");
}

#[tokio::test]
async fn a_sentinel_that_answers_nobody_is_passed_by() {
    let group = Group::start().await;
    let [master, frozen] = &group.ports;
    let [[port, _], ..] = free_ports().map(|pair| pair.map(|port| port.to_string()));
    let mut second = guard(&port, master);
    up(&format!("redis://127.0.0.1:{port}")).await;
    let page: String =
        House::at(&format!("redis://127.0.0.1:{frozen}")).await.ask(redis::cmd("INFO").arg("server")).await;
    let process = page.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    let process = Pid::from_raw(process.trim().parse().unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();

    // It stands first, and whoever asks it waits for longer than anybody here waits for a connection.
    let redis = Redis::connect(&format!("redis+sentinel://127.0.0.1:{frozen},127.0.0.1:{port}/main/2")).await;
    let redis = redis.unwrap();
    let told_in_time = async || {
        let asked = Instant::now();
        let answer = redis.read::<String>(&redis::cmd("PING")).await;
        assert!(asked.elapsed() < Duration::from_secs(2), "an outage is told in time: {:?}", asked.elapsed());
        answer.ok()
    };
    eventually("the other one says who is master", told_in_time).await;
    eventually("for a connection of one's own, too", async || redis.dedicated().await.ok()).await;
    kill_process(process, Signal::CONT).unwrap();
    end(&mut second);
}
