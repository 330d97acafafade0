//! For operators and tools: is it alive, can it sell, what has it done, what can it do.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::Json;
use super::problem::{Code, Problem};
use crate::mail;
use crate::stores::guards;
use crate::stores::postgres::MIGRATIONS;
use crate::stores::redis::Redis;

/// A store that needs longer than this to say hello cannot sell in two seconds.
const HELLO: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready)).routes(routes!(metrics))
}

#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    #[schema(example = "alive")]
    status: &'static str,
}

/// Says that the process runs; it asks nobody else.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, description = "It runs", body = Alive)))]
async fn alive() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// What selling needs; each is `ok` or a word on what is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct Checks {
    #[schema(example = "ok")]
    postgres: &'static str,
    /// Whether every migration of this build is in the database.
    #[schema(example = "ok")]
    migrations: String,
    /// Whether the constraints stand that keep a seat from being sold twice.
    #[schema(example = "ok")]
    guards: String,
    #[schema(example = "ok")]
    redis: &'static str,
    /// A Redis that may evict keys would forget who holds which seat.
    #[schema(example = "ok")]
    eviction: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    #[schema(example = "ready")]
    status: &'static str,
    checks: Checks,
}

/// Says whether this node can sell seats: send customers here only while it is 200.
#[utoipa::path(
    get, path = "/readyz", tag = "system",
    responses(
        (status = 200, description = "Able to sell", body = Ready),
        (status = 503, description = "`checks` says what is missing"),
    ),
)]
async fn ready(State(app): State<AppState>) -> Result<Json<Ready>, Problem> {
    if app.leaving.is_cancelled() {
        return Err(Code::Unavailable.detail("This node is going down."));
    }
    let ((postgres, migrations, guards), (redis, eviction)) =
        tokio::join!(ask_postgres(&app.pg), ask_redis(&app.redis));
    let checks = Checks { postgres, migrations, guards, redis, eviction };
    if [postgres, &checks.migrations, &checks.guards, redis, eviction].iter().all(|check| *check == OK) {
        Ok(Json(Ready { status: "ready", checks }))
    } else {
        tracing::warn!(?checks, "not ready");
        Err(Code::Unavailable.with("checks", checks))
    }
}

const OK: &str = "ok";
const AWAY: &str = "does not answer";
const UNKNOWN: &str = "unknown";
const REFUSES: &str = "refuses our commands";
/// What Postgres says to a role that was granted nothing.
const NOT_PERMITTED: &str = "42501";
/// It says no in many other words, too many connections among them.
const NO_SUCH_TABLE: &str = "42P01";

/// Whether Postgres answers, has what this build needs, and keeps the promises that are its own. One that is newer than this
/// build is fine: migrations only add.
async fn ask_postgres(pool: &PgPool) -> (&'static str, String, String) {
    let asked = async {
        let (writes,): (bool,) =
            sqlx::query_as("select current_setting('transaction_read_only') = 'off'").fetch_one(pool).await?;
        let applied: Vec<(i64,)> =
            sqlx::query_as("select version from _sqlx_migrations where success").fetch_all(pool).await?;
        Ok((if writes { OK } else { "may only be read" }, applied, guards::fallen(pool).await?))
    };
    match tokio::time::timeout(HELLO, asked).await {
        Ok(Ok((postgres, applied, fallen))) => (postgres, missing_of(&applied), without(&fallen)),
        Ok(Err(sqlx::Error::Database(refused))) if refused.code().as_deref() == Some(NOT_PERMITTED) => {
            (OK, "may not be read: run holdfast migrate --grant-to".to_owned(), UNKNOWN.to_owned())
        }
        // It answered: the table of migrations is not there.
        Ok(Err(sqlx::Error::Database(refused))) if refused.code().as_deref() == Some(NO_SUCH_TABLE) => {
            (OK, "none are applied: run holdfast migrate".to_owned(), UNKNOWN.to_owned())
        }
        Ok(Err(_)) | Err(_) => (AWAY, UNKNOWN.to_owned(), UNKNOWN.to_owned()),
    }
}

fn missing_of(applied: &[(i64,)]) -> String {
    let missing: Vec<String> = MIGRATIONS
        .iter()
        .filter(|wanted| !applied.contains(&(wanted.version,)))
        .map(|wanted| format!("{:04}", wanted.version))
        .collect();
    match missing.as_slice() {
        [] => OK.to_owned(),
        some => format!("{} missing: run holdfast migrate", some.join(", ")),
    }
}

fn without(fallen: &[&str]) -> String {
    match fallen {
        [] => OK.to_owned(),
        some => format!("{} missing or not valid: seats could be sold twice", some.join(", ")),
    }
}

async fn ask_redis(redis: &Redis) -> (&'static str, &'static str) {
    let mut connection = redis.clone();
    let asked = async {
        let mut info = redis::cmd("INFO");
        let memory: redis::Value = info.arg("memory").query_async(&mut connection).await?;
        // Every step of a sale is a script: who may run none can sell nothing.
        redis::cmd("EVAL").arg("return 1").arg(0).exec_async(&mut connection).await?;
        Ok::<_, redis::RedisError>(memory)
    };
    match tokio::time::timeout(HELLO, asked).await {
        Ok(Ok(info)) => (OK, eviction(&info)),
        Ok(Err(refused)) if refused.is_io_error() || refused.is_timeout() => (AWAY, UNKNOWN),
        // It answered: with a password or rights that are not enough, or while it loads.
        Ok(Err(_)) => (REFUSES, UNKNOWN),
        Err(_) => (AWAY, UNKNOWN),
    }
}

/// The verdict over every node that answered: a cluster answers for each of its nodes.
fn eviction(info: &redis::Value) -> &'static str {
    let mut texts = Vec::new();
    collect_texts(info, &mut texts);
    let mut policies = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("maxmemory_policy:"))
        .peekable();
    if policies.peek().is_none() {
        return UNKNOWN;
    }
    if policies.all(|policy| policy.trim() == "noeviction") {
        OK
    } else {
        "maxmemory-policy must be noeviction"
    }
}

fn collect_texts(value: &redis::Value, texts: &mut Vec<String>) {
    match value {
        redis::Value::BulkString(bytes) => texts.push(String::from_utf8_lossy(bytes).into_owned()),
        redis::Value::SimpleString(text) | redis::Value::VerbatimString { text, .. } => {
            texts.push(text.clone());
        }
        redis::Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        redis::Value::Map(pairs) => pairs.iter().for_each(|(_, value)| collect_texts(value, texts)),
        _ => {}
    }
}

/// Everything that is counted, in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "system",
    responses((status = 200, description = "For Prometheus", body = String, content_type = "application/openmetrics-text")),
)]
async fn metrics(State(app): State<AppState>) -> Response {
    // Without Postgres the queues keep what they last said; everything else is this node's own.
    let counted = tokio::join!(app.desk.backlog(), mail::count(&app.pg, &app.metrics));
    if let (Err(error), _) | (_, Err(error)) = counted {
        tracing::debug!(%error, "the queues could not be counted");
    }
    if let Err(error) = app.hooks.backlog().await {
        tracing::debug!(%error, "what other systems are owed could not be counted");
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::Value;

    fn info(policy: &str) -> Value {
        Value::BulkString(format!("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:{policy}\r\n").into_bytes())
    }

    #[test]
    fn a_redis_that_may_forget_is_not_ready() {
        assert_eq!(eviction(&info("noeviction")), OK);
        assert_ne!(eviction(&info("allkeys-lru")), OK);
        assert_ne!(eviction(&Value::BulkString(b"# Memory".to_vec())), OK, "saying nothing is no promise");
    }

    #[test]
    fn one_forgetful_node_of_a_cluster_is_enough() {
        let node = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let all = |second| Value::Map(vec![(node("a"), info("noeviction")), (node("b"), info(second))]);
        assert_eq!(eviction(&all("noeviction")), OK);
        assert_ne!(eviction(&all("volatile-ttl")), OK);
    }
}
