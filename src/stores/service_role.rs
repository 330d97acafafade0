//! The role that nodes have in Postgres: it reads and writes rows, adds to histories, and can do nothing else.
//!
//! Whoever took a node over could not change what has happened, nor the constraints that keep the promises: a history
//! takes no `update`, and no table can be altered, emptied or made.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

/// What the service does with each table and view. A table without a line is none of its business, so a migration that
/// makes one brings its line; a test counts them.
const MAY: [(&str, &str); 29] = [
    // The migrations, so that readiness can tell whether all of this build are there.
    ("_sqlx_migrations", "select"),
    ("accounts", "select, insert, update"),
    ("charts", "select, insert, update, delete"),
    ("events", "select, insert, update, delete"),
    ("hook_deliveries", "select, insert, update, delete"),
    ("hook_events", "select, insert, delete"),
    ("hook_listeners", "select"),
    ("hooks", "select, insert, update, delete"),
    ("idempotency_keys", "select, insert, update, delete"),
    ("letters", "select, insert, update, delete"),
    ("offered_seats", "select, insert, delete"),
    ("offers", "select, insert, update"),
    // Histories are only added to.
    ("order_log", "select, insert"),
    ("ticket_log", "select, insert"),
    ("trail", "select, insert"),
    ("waitlist_log", "select, insert"),
    // What was priced stays as it was; a ticket that moves leaves one seat and takes another.
    ("order_seats", "select, insert, delete"),
    ("orders", "select, insert, update"),
    ("outbox", "select, insert, update, delete"),
    // Parked once, and settled when its money has found a home after all.
    ("parked_payments", "select, insert, update"),
    ("payments", "select, insert, update"),
    ("reconciler_cursors", "select, insert, update"),
    ("refresh_tokens", "select, insert, update, delete"),
    ("refunds", "select, insert, update"),
    ("seat_claims", "select, insert, update, delete"),
    ("stripe_events", "select, insert, update"),
    ("tickets", "select, insert, update"),
    ("waitlist", "select, insert, update"),
    ("witness", "select, update"),
];

/// Everything that can be granted on a table, beside reading it.
const POWERS: [&str; 6] = ["insert", "update", "delete", "truncate", "references", "trigger"];

#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error("there is no role {0}: create it first, for instance with: create role {0} login password '…'")]
    NoSuchRole(String),
    #[error("{0} would be able to do more than it should:\n{list}", list = .1.join("\n"))]
    TooMighty(String, Vec<String>),
    #[error("postgres: {0}")]
    Failed(#[from] sqlx::Error),
}

/// Gives `role` exactly what a node needs, whatever it had before. Safe to repeat, also while nodes work.
///
/// # Errors
/// When there is no such role, and when it could do more all the same: as a superuser, as an owner, by what everybody may.
/// Then nothing has changed.
pub async fn grant(pg: &PgPool, role: &str) -> Result<(), GrantError> {
    let mut tx = pg.begin().await?;
    // Nobody waits for an answer here, as customers do.
    sqlx::query("set local lock_timeout = '60s'").execute(&mut *tx).await?;
    sqlx::query("set local statement_timeout = '60s'").execute(&mut *tx).await?;
    // Two of these at once would wait for each other's rows of the catalogue, and one of them would fail.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('holdfast grants', 12))")
        .execute(&mut *tx)
        .await?;
    let (is_there,): (bool,) = sqlx::query_as("select exists (select from pg_roles where rolname = $1)")
        .bind(role)
        .fetch_one(&mut *tx)
        .await?;
    if !is_there {
        return Err(GrantError::NoSuchRole(role.to_owned()));
    }
    let (role_name, schema, database): (String, String, String) = sqlx::query_as(
        "select quote_ident($1), quote_ident(current_schema()), quote_ident(current_database())",
    )
    .bind(role)
    .fetch_one(&mut *tx)
    .await?;
    let mut statements = vec![
        // What everybody may, the service may, too.
        format!("revoke create on schema {schema} from public"),
        format!("revoke temporary on database {database} from public"),
        format!("revoke all on schema {schema} from {role_name}"),
        format!("revoke all on all tables in schema {schema} from {role_name}"),
        format!("revoke all on all sequences in schema {schema} from {role_name}"),
        format!("grant usage on schema {schema} to {role_name}"),
    ];
    statements
        .extend(MAY.iter().map(|(table, may)| format!("grant {may} on {schema}.{table} to {role_name}")));
    for statement in statements {
        // Names cannot be bound. These are quoted by Postgres itself, or ours.
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await?;
    }
    let excess = excess(&mut tx, role).await?;
    if !excess.is_empty() {
        return Err(GrantError::TooMighty(role.to_owned(), excess));
    }
    tx.commit().await?;
    Ok(())
}

/// What the role could do beyond its grants, as Postgres itself sees it: by whatever way it came to that.
async fn excess(db: &mut PgConnection, role: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut excess: Vec<String> = sqlx::query_scalar(
        "select '  it is a superuser' from pg_roles where rolname = $1 and rolsuper
         union all select '  it may make roles' from pg_roles where rolname = $1 and rolcreaterole
         union all select '  it may make databases' from pg_roles where rolname = $1 and rolcreatedb
         union all select '  it may copy the whole server' from pg_roles where rolname = $1 and rolreplication
         union all select '  it may make schemas' where has_database_privilege($1, current_database(), 'create')
         union all select '  it may make temporary tables' where has_database_privilege($1, current_database(), 'temporary')
         union all select '  it may make tables' where has_schema_privilege($1, current_schema(), 'create')
         union all select distinct '  it owns tables, or may become ' || pg_get_userbyid(relowner)
           from pg_class where relnamespace = current_schema()::regnamespace and pg_has_role($1, relowner, 'member')",
    )
    .bind(role)
    .fetch_all(&mut *db)
    .await?;
    if !excess.is_empty() {
        // Whoever is a superuser or the owner may do everything: a line for each table says no more.
        return Ok(excess);
    }
    let able: Vec<(String, String)> = sqlx::query_as(
        "select c.relname::text, power from pg_class c cross join unnest($2::text[]) power
          where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and (has_table_privilege($1, c.oid, power)
                 or (power in ('insert', 'update', 'references') and has_any_column_privilege($1, c.oid, power)))
          order by 1, 2",
    )
    .bind(role)
    .bind(POWERS)
    .fetch_all(&mut *db)
    .await?;
    let granted: BTreeSet<(&str, &str)> =
        MAY.iter().flat_map(|(table, may)| may.split(", ").map(move |power| (*table, power))).collect();
    excess.extend(
        able.iter()
            .filter(|(table, power)| !granted.contains(&(table.as_str(), power.as_str())))
            .map(|(table, power)| format!("  {power} on {table}")),
    );
    Ok(excess)
}

/// The tables and views that the service has to do with, and what it may do with them.
#[must_use]
pub fn grants() -> &'static [(&'static str, &'static str)] {
    &MAY
}
