//! Remembered calls in Redis, for holds: a stampede's repeats never reach Postgres.
//!
//! Should Redis forget, the holds these calls made are forgotten with it. A key is remembered for an event: used at another
//! one, it is another key.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use uuid::Uuid;

use super::{Begun, Claim, Kept, StoreError};
use crate::proof;
use crate::stores::redis::Redis;

static BEGIN: LazyLock<Script> =
    LazyLock::new(|| Script::new(proof::script(include_str!("../../../lua/once_begin.lua"))));
static KEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../../lua/once_keep.lua")));

/// How long one run may take before a repeat may start another: longer than any route's time.
const RUN: Duration = Duration::from_secs(30);
/// How long an answer is kept.
const DAY: Duration = Duration::from_hours(24);

/// On a Cluster it lies with its event, so that the hold and the memory of it are there, away and lost together.
fn record(claim: &Claim) -> String {
    let event = claim.event.map(|event| event.to_string()).unwrap_or_default();
    format!("once:{{{event}}}:{}:{}", claim.scope.as_str(), claim.key.digest())
}

pub(super) async fn begin(redis: &Redis, claim: &Claim) -> Result<Begun, StoreError> {
    let mut call = BEGIN.key(record(claim));
    call.arg(&claim.fingerprint)
        .arg(claim.fresh.as_bytes())
        .arg(claim.runner.as_bytes())
        .arg(millis(RUN))
        .arg(millis(DAY));
    let reply: Vec<Vec<u8>> = call.invoke_async(&mut redis.clone()).await?;
    let unknown = || StoreError::UnknownReply("once_begin");
    let id = |bytes: &[u8]| Uuid::from_slice(bytes).map_err(|_| unknown());
    match reply.iter().map(Vec::as_slice).collect::<Vec<_>>().as_slice() {
        [b"run", resource] => Ok(Begun::Run(id(resource)?)),
        [b"answered", resource, sealed] => {
            Ok(Begun::Answered(Kept { resource: id(resource)?, sealed: sealed.to_vec() }))
        }
        [b"running", _] => Ok(Begun::StillRunning),
        [b"reused", _] => Ok(Begun::Reused),
        _ => Err(unknown()),
    }
}

pub(super) async fn keep(redis: &Redis, claim: &Claim, sealed: &[u8]) -> Result<(), StoreError> {
    end(redis, claim, sealed).await
}

pub(super) async fn let_go(redis: &Redis, claim: &Claim) -> Result<(), StoreError> {
    end(redis, claim, b"").await
}

async fn end(redis: &Redis, claim: &Claim, sealed: &[u8]) -> Result<(), StoreError> {
    let mut call = KEEP.key(record(claim));
    call.arg(claim.runner.as_bytes()).arg(sealed);
    let reply: String = call.invoke_async(&mut redis.clone()).await?;
    match reply.as_str() {
        "kept" | "let_go" | "not_ours" => Ok(()),
        _ => Err(StoreError::UnknownReply("once_keep")),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).expect("a day has few milliseconds")
}
