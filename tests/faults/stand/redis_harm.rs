//! What only Redis can suffer.

use std::time::{Duration, Instant};

use redis::Value;

use super::Topology;
use super::redis::{Instance, Memory};

/// Flags of holds, as the design names them.
const FLAGS: &str = "isTaken:*";
const EVERYTHING: &str = "*";

impl Memory {
    /// Deletes one key in so many, and the markers or not; says whether there was any.
    pub async fn delete_some(&mut self, one_in: usize, marker: bool) -> bool {
        let mut deleted = false;
        for at in self.masters().await {
            let instance = &self.instances[at];
            for (nth, (database, key)) in keys(instance, EVERYTHING).await.into_iter().enumerate() {
                let is_marker = key.starts_with("meta:");
                if (is_marker && marker) || (!is_marker && nth % one_in == 0) {
                    deleted |= in_database(instance, database, &["DEL", &key]).await.is_some();
                }
            }
        }
        deleted
    }

    /// Whether this key is on this instance.
    pub async fn keeps(&self, at: usize, key: &str) -> bool {
        keys(&self.instances[at], key).await.iter().any(|(_, found)| found == key)
    }

    /// Everything with this tag is deleted, wherever it is.
    pub async fn forgets(&mut self, tag: &str) {
        for at in self.masters().await {
            let instance = &self.instances[at];
            for (database, key) in keys(instance, &format!("*{tag}*")).await {
                in_database(instance, database, &["DEL", &key]).await;
            }
        }
    }

    /// Says this to every flag that has a time; says whether there was any.
    pub async fn each_flag(&mut self, words: &[&str]) -> bool {
        let mut said = false;
        for at in self.masters().await {
            let instance = &self.instances[at];
            for (database, key) in keys(instance, FLAGS).await {
                let left = in_database(instance, database, &["PTTL", &key]).await;
                if matches!(left, Some(Value::Int(1..))) {
                    let all = [&[words[0], key.as_str()], &words[1..]].concat();
                    said |= in_database(instance, database, &all).await.is_some();
                }
            }
        }
        said
    }

    /// A replica of this master takes over by an operator's word, if it is taken.
    pub async fn promote(&mut self, master: usize) -> bool {
        match self.topology {
            Topology::Single => false,
            Topology::Sentinel => self.sentinels[0].obeys(&["SENTINEL", "FAILOVER", "main"]).await,
            Topology::Cluster => match self.replica_of(master).await {
                Some(replica) => self.instances[replica].obeys(&["CLUSTER", "FAILOVER", "FORCE"]).await,
                None => false,
            },
        }
    }

    /// The replica of this master hears nothing for a while; then the master dies, and what it alone knew with it.
    /// False when nobody follows it.
    pub async fn lose_writes(&mut self, master: usize, alone: Duration) -> bool {
        let Some(replica) = self.replica_of(master).await else { return false };
        self.instances[replica].freeze();
        // What is in the replica's socket already would still reach it.
        self.instances[master].ask::<i64>(&["CLIENT", "KILL", "TYPE", "replica"]).await;
        tokio::time::sleep(alone).await;
        self.instances[master].kill();
        self.instances[replica].thaw();
        true
    }

    async fn replica_of(&mut self, master: usize) -> Option<usize> {
        let port = self.instances[master].wire.port().to_string();
        for at in 0..self.instances.len() {
            if self.instances[at].runs()
                && self.instances[at].info("replication", "master_port").await.as_deref() == Some(&port)
            {
                return Some(at);
            }
        }
        None
    }

    /// The slot of a key moves from its master to another, key by key, while it is used; says whether it has arrived.
    pub async fn move_slot(&mut self, key: &str, choose: &mut dyn FnMut() -> usize) -> bool {
        let masters = self.masters().await;
        if self.topology != Topology::Cluster || masters.len() < 2 {
            return false;
        }
        let Some(slot) = self.instances[masters[0]].ask::<i64>(&["CLUSTER", "KEYSLOT", key]).await else {
            return false;
        };
        let slot = slot.to_string();
        let mut from = None;
        for &at in &masters {
            if self.instances[at].owns(&slot).await {
                from = Some(at);
            }
        }
        let Some(from) = from else { return false };
        let others: Vec<_> = masters.into_iter().filter(|&at| at != from).collect();
        let to = others[choose() % others.len()];
        let ids = (self.instances[from].id().await, self.instances[to].id().await);
        let (Some(from_id), Some(to_id)) = ids else { return false };
        self.instances[to].ask::<String>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await;
        self.instances[from].ask::<String>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await;
        let port = self.instances[to].port().to_string();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            let keys: Option<Vec<String>> =
                self.instances[from].ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "5"]).await;
            let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { break };
            for key in keys {
                self.instances[from].ask::<String>(&["MIGRATE", "127.0.0.1", &port, &key, "0", "1000"]).await;
            }
        }
        let mut arrived = true;
        for at in [to, from] {
            arrived &= self.instances[at].obeys(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
        }
        arrived
    }
}

impl Instance {
    async fn id(&self) -> Option<String> {
        self.ask(&["CLUSTER", "MYID"]).await
    }

    async fn owns(&self, slot: &str) -> bool {
        let nodes: String = self.ask(&["CLUSTER", "NODES"]).await.unwrap_or_default();
        let slot: u32 = slot.parse().unwrap_or(0);
        let Some(own) = nodes.lines().find(|line| line.contains("myself")) else { return false };
        own.split(' ').skip(8).any(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            matches!((from.parse::<u32>(), to.parse::<u32>()), (Ok(from), Ok(to)) if (from..=to).contains(&slot))
        })
    }
}

/// Every key like this, with its database: only one is used, and which one the house has said.
async fn keys(instance: &Instance, like: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for database in 0..3 {
        let Some(Value::Array(all)) = in_database(instance, database, &["KEYS", like]).await else {
            continue;
        };
        found.extend(all.iter().filter_map(|key| Some((database, redis::from_redis_value_ref(key).ok()?))));
    }
    found
}

pub(super) async fn in_database(instance: &Instance, database: u32, words: &[&str]) -> Option<Value> {
    let mut connection = instance.connect().await?;
    if database > 0 {
        redis::cmd("SELECT").arg(database).query_async::<()>(&mut connection).await.ok()?;
    }
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.ok()
}
