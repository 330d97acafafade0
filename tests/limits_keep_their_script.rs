//! The script of the limits says what its header documents, on one node and on a Cluster.

use std::collections::BTreeSet;

use holdfast::stores::redis::Redis;
use redis::{Script, Value, from_redis_value};
use uuid::Uuid;

use crate::seats_support::{cluster, single};

const TEXT: &str = include_str!("../lua/limit.lua");
/// Ten seconds for one call, twenty for all: two calls at once.
const DRAIN: u64 = 10_000_000;
const MOST: u64 = 20_000_000;

struct Limit {
    redis: Redis,
    keys: Vec<String>,
    marked_ms: u64,
    said: BTreeSet<String>,
}

impl Limit {
    async fn at(url: &str, buckets: usize) -> Self {
        let tag = Uuid::new_v4();
        let keys = (0..buckets).map(|bucket| format!("limit:{{{tag}}}:{bucket}")).collect();
        let redis = Redis::connect(url).await.expect("an address");
        Self { redis, keys, marked_ms: 0, said: BTreeSet::new() }
    }

    /// What it says, and how many calls each bucket holds, nearly.
    async fn says(&mut self, action: &str, calls: u32) -> (String, Vec<u64>) {
        let script = Script::new(TEXT);
        let mut call = script.prepare_invoke();
        for key in &self.keys {
            call.key(key);
        }
        call.arg(action).arg(calls).arg(self.marked_ms);
        for _ in &self.keys {
            call.arg(DRAIN).arg(MOST);
        }
        let reply: Vec<Value> = call.invoke_async(&mut self.redis.clone()).await.expect("Redis answers");
        let mut reply = reply.into_iter();
        let code: String = from_redis_value(reply.next().expect("a code")).expect("text");
        self.said.insert(code.clone());
        let levels = reply.map(|level| from_redis_value::<u64>(level).expect("a number"));
        (code, levels.map(|level| level.div_ceil(DRAIN)).collect())
    }

    async fn lives_ms(&self, key: usize) -> i64 {
        let mut redis = self.redis.clone();
        redis::cmd("PTTL").arg(&self.keys[key]).query_async(&mut redis).await.expect("Redis answers")
    }
}

fn said(code: &str, levels: &[u64]) -> (String, Vec<u64>) {
    (code.to_owned(), levels.to_vec())
}

async fn says_all_that_is_documented(url: &str) {
    let mut limit = Limit::at(url, 2).await;
    assert_eq!(limit.says("take", 1).await, said("taken", &[1, 1]));
    assert_eq!(limit.says("give", 1).await, said("given", &[0, 0]));
    assert_eq!(limit.lives_ms(0).await, -2, "an empty bucket has no key");
    assert_eq!(limit.says("give", 1).await, said("given", &[0, 0]), "of nothing, nothing is given");
    assert_eq!(limit.says("note", 7).await, said("noted", &[2, 2]), "and no bucket overflows");
    assert_eq!(limit.says("take", 1).await, said("refused", &[2, 2]));
    let lives = limit.lives_ms(0).await;
    assert!((18_000..=20_000).contains(&lives), "it is gone when it is empty: {lives}");

    let documented: BTreeSet<_> =
        ["taken", "refused", "given", "noted"].into_iter().map(str::to_owned).collect();
    let header = TEXT.split("]]").next().expect("a header");
    assert!(documented.iter().all(|code| header.contains(&format!("{code} level"))));
    assert_eq!(limit.said, documented);
}

#[tokio::test]
async fn it_says_all_that_is_documented_on_one_node() {
    says_all_that_is_documented(single().await).await;
}

#[tokio::test]
async fn it_says_all_that_is_documented_on_a_cluster() {
    says_all_that_is_documented(cluster().await).await;
}

#[tokio::test]
async fn what_one_bucket_refuses_is_taken_from_none() {
    let mut both = Limit::at(single().await, 2).await;
    let mut second = Limit::at(single().await, 0).await;
    second.keys = vec![both.keys[1].clone()];
    second.says("note", 2).await;
    assert_eq!(both.says("take", 1).await, said("refused", &[0, 2]));
    second.says("give", 2).await;
    assert_eq!(both.says("take", 1).await, said("taken", &[1, 1]), "nothing was lost to the refusal");
}

#[tokio::test]
async fn where_somebody_is_known_the_last_bucket_is_passed_over() {
    let mut limit = Limit::at(single().await, 3).await;
    limit.marked_ms = 60_000;
    let mut last = Limit::at(single().await, 0).await;
    last.keys = vec![limit.keys[1].clone()];
    assert_eq!(limit.says("take", 1).await, said("taken", &[1, 1]));
    assert_eq!(limit.says("know", 1).await, said("given", &[0, 0]), "it is set by what succeeds");
    let lives = limit.lives_ms(2).await;
    assert!((50_000..=60_000).contains(&lives), "{lives}");

    last.says("note", 2).await;
    assert_eq!(limit.says("take", 1).await, said("taken", &[1, 0]));
    assert_eq!(limit.says("give", 1).await, said("given", &[0, 0]));
    assert_eq!(last.says("take", 1).await, said("refused", &[2]), "nothing was given that was not taken");
    assert_eq!(limit.says("take", 2).await, said("taken", &[2, 0]));
    assert_eq!(limit.says("take", 1).await, said("refused", &[2, 0]), "its own bucket counts as ever");
}

#[tokio::test]
async fn another_setting_than_before_is_no_reason_to_refuse_for_longer() {
    let mut limit = Limit::at(single().await, 1).await;
    let far: u64 = 4_000_000_000_000_000;
    let mut redis = limit.redis.clone();
    let kept: () =
        redis::cmd("SET").arg(&limit.keys[0]).arg(far).query_async(&mut redis).await.expect("Redis answers");
    let () = kept;
    assert_eq!(limit.says("take", 1).await, said("refused", &[2]));
    assert_eq!(limit.says("give", 1).await, said("given", &[1]));
}
