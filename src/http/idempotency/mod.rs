//! The same `Idempotency-Key` and body give the same answer, once done; another body is refused.
//!
//! A key's record is made before the effect and names the id that the effect will use, so that a repeat
//! after a crash, a time-out or a lost reply makes the same thing again rather than a second one. An answer
//! that may change by waiting (429, 5xx) is not kept. A call for seats is remembered by the script that decides it, in the
//! same step: here it is only told what to remember.

mod answer;
mod key;
pub mod postgres;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use sqlx::PgPool;
use uuid::Uuid;

use self::answer::Answer;
pub use self::answer::REPLAYED;
use self::key::Scope;
pub use self::key::{HEADER, IdempotencyKey};
use super::allowance::{Allowance, Memory};
use super::extract::Identity;
use super::problem::{Code, Problem};
use crate::proof::{self, Step};
use crate::seal::Seal;
use crate::seats;
use crate::stores::postgres::Outage;

/// One run of a call that has a key.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    scope: Scope,
    key: IdempotencyKey,
    fingerprint: Vec<u8>,
    /// Names this run, so that it lets go of its own lock only.
    runner: Uuid,
    /// What the thing that the call makes will be called, unless an earlier run has named it.
    fresh: Uuid,
}

/// What a store says to a run that wants to begin.
#[derive(Debug)]
pub(super) enum Begun {
    /// Go on, and use this id.
    Run(Uuid),
    Answered(Kept),
    StillRunning,
    /// The key came with another request before.
    Reused,
}

#[derive(Debug)]
pub(super) struct Kept {
    resource: Uuid,
    sealed: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Postgres(#[from] Outage),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// The id for what a call makes: the same for every repeat under one key, a new one without a key.
#[derive(Debug, Clone, Copy)]
pub struct Operation(pub Uuid);

impl<S: Sync> FromRequestParts<S> for Operation {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let named = parts.extensions.get::<Self>().copied();
        Ok(named.unwrap_or_else(|| Self(Uuid::now_v7())))
    }
}

/// Remembers calls that have a key.
#[derive(Clone)]
pub struct Once {
    pg: PgPool,
    seal: Seal,
}

impl Once {
    #[must_use]
    pub fn new(pg: PgPool, seal: Seal) -> Self {
        Self { pg, seal }
    }

    async fn keep(&self, claim: &Claim, answer: &Answer) -> Result<(), StoreError> {
        let sealed = self.seal.seal(&claim.place(), answer.to_bytes());
        postgres::keep(&self.pg, claim, answer.status().as_u16(), &sealed).await
    }

    fn open(&self, claim: &Claim, sealed: &[u8]) -> Option<Answer> {
        Answer::from_bytes(&self.seal.open(&claim.place(), sealed)?)
    }
}

impl Claim {
    /// What a sealed answer is bound to. A key cannot hold the separator: it is visible ASCII.
    fn place(&self) -> Vec<u8> {
        [self.scope.as_str().as_bytes(), b"\0", self.key.as_str().as_bytes()].concat()
    }
}

/// A run that has begun and not ended. Dropped, because the caller went away, time ran out or the handler
/// panicked, it lets go of the key, so that the repeat need not wait for the lock to age.
struct Run {
    once: Once,
    claim: Option<Claim>,
}

impl Run {
    /// Keeps the answer. When that fails the answer is still good: the repeat makes the same thing again.
    async fn end(mut self, answer: &Answer) {
        if let Some(claim) = &self.claim
            && let Err(cause) = proof::step(Step::KeepAnswer, self.once.keep(claim, answer)).await
        {
            tracing::warn!(%cause, "an answer could not be kept for its repeats");
        }
        self.claim = None;
    }

    /// The key is another run's; there is nothing to let go of.
    fn step_back(mut self) {
        self.claim = None;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        // Without a runtime the node is going down, and the lock ages by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pg = self.once.pg.clone();
        runtime.spawn(async move {
            if let Err(cause) = postgres::let_go(&pg, &claim).await {
                tracing::debug!(%cause, "an idempotency key stays locked until its run would have ended");
            }
        });
    }
}

/// Answers a repeat from memory, or runs the call and remembers its answer.
pub async fn remember(once: &Once, request: Request, next: Next) -> Response {
    let answer = match memory_of(&request) {
        Ok(None) => return next.run(request).await,
        // In a box: most calls have no key, and would carry the room for all of this about.
        Ok(Some(wanted)) => Box::pin(once_only(once, wanted, request, next)).await,
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

/// Where and for whom this call is remembered, and under which key; `None` when it is not.
fn memory_of(request: &Request) -> Result<Option<(Memory, Scope, IdempotencyKey)>, Problem> {
    let memory = Allowance::of(request).memory;
    if memory == Memory::Nowhere {
        return Ok(None);
    }
    let key = IdempotencyKey::of(request.headers())?;
    Ok(key.and_then(|key| Some((memory, scope_of(request)?, key))))
}

async fn once_only(
    once: &Once,
    (memory, scope, key): (Memory, Scope, IdempotencyKey),
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let body = whole(body).await?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let fingerprint = once.seal.fingerprint(&[parts.method.as_str().as_bytes(), path.as_bytes(), &body]);
    if memory == Memory::WithTheHold {
        parts.extensions.insert(seats::Once { key: key.digest(), fingerprint });
        return Ok(next.run(Request::from_parts(parts, Body::from(body))).await);
    }
    let claim = Claim { scope, key, fingerprint, runner: Uuid::now_v7(), fresh: Uuid::now_v7() };

    // Made before asking: an unanswered `begin` may have taken the key.
    let run = Run { once: once.clone(), claim: Some(claim.clone()) };
    let resource = match postgres::begin(&once.pg, &claim).await.map_err(Problem::outage)? {
        Begun::Run(resource) => resource,
        Begun::Reused => {
            run.step_back();
            return Err(Code::IdempotencyKeyReused.problem());
        }
        Begun::StillRunning => {
            run.step_back();
            return Err(Code::StillRunning.problem());
        }
        Begun::Answered(kept) => {
            if let Some(answer) = once.open(&claim, &kept.sealed) {
                run.step_back();
                return Ok(answer.replay());
            }
            // Sealed under a secret that was rotated out: doing it again under the same id is as good.
            kept.resource
        }
    };
    parts.extensions.insert(Operation(resource));
    let (head, body) = next.run(Request::from_parts(parts, Body::from(body))).await.into_parts();
    if !Answer::is_final(head.status) {
        return Ok(Response::from_parts(head, body));
    }
    let body = whole(body).await?;
    run.end(&Answer::of(&head, body.clone())).await;
    Ok(Response::from_parts(head, Body::from(body)))
}

/// `None` when the handler will refuse the call for want of a caller: there is nobody to remember it for.
fn scope_of(request: &Request) -> Option<Scope> {
    let path = request.uri().path();
    match request.extensions().get::<Identity>() {
        _ if path.starts_with("/v1/auth/") => Some(Scope::anonymous(path)),
        Some(Identity::Known(caller)) => Some(Scope::account(caller.id)),
        _ => None,
    }
}

/// The request arrived whole before, and a mutating call's answer is made in one piece: this never waits.
async fn whole(body: Body) -> Result<Bytes, Problem> {
    Ok(body.collect().await.map_err(Problem::internal)?.to_bytes())
}
