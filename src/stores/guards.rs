//! The guards: constraints that carry a promise, as the database has them now. A node that misses one is not ready, because
//! selling without it could sell twice.

use sqlx::PgPool;

/// A constraint or a unique index without which a promise is only a hope.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    pub name: &'static str,
    /// The columns that it keeps apart; none of a check.
    columns: &'static [&'static str],
    table: &'static str,
}

macro_rules! guards {
    ($($table:literal $name:literal [$($column:literal)*];)*) => {
        &[$(Guard { table: $table, name: $name, columns: &[$($column),*] }),*]
    };
}

/// No two rows of the table have the same of these columns; those without columns are checks.
pub const GUARDS: &[Guard] = guards! {
    "seat_claims"     "seat_claims_pkey"             ["event_id" "ordinal"];
    "seat_claims"     "only_held_claims_end"         [];
    "seat_claims"     "blocked_claims_have_no_order" [];
    "tickets"         "tickets_one_valid_per_seat"   ["event_id" "ordinal"];
    "orders"          "orders_pkey"                  ["event_id" "id"];
    "orders"          "orders_one_per_hold"          ["event_id" "hold_id"];
    "payments"        "payments_intent"              ["payment_intent"];
    "payments"        "payments_one_open"            ["event_id" "order_id"];
    "refunds"         "refunds_once_per_cause"       ["payment_intent" "cause"];
    "refunds"         "refunds_stripe"               ["stripe_refund"];
    "stripe_events"   "stripe_events_pkey"           ["id"];
    "order_log"       "order_log_pkey"               ["event_id" "order_id" "step"];
    "order_log"       "moves_along_the_graph"        [];
    "offered_seats"   "offered_seats_pkey"           ["event_id" "ordinal"];
    "offers"          "offers_one_open_per_entry"    ["entry_id"];
    "idempotency_keys" "idempotency_keys_pkey"       ["scope" "key"];
    "letters"         "letters_once_per_cause"       ["occasion" "subject"];
    "hook_events"     "hook_events_once_per_note"    ["event_id" "note"];
};

/// The names of the guards that do not stand: gone, about other columns, or never made valid.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn fallen(pg: &PgPool) -> Result<Vec<&'static str>, sqlx::Error> {
    let standing: Vec<(String, String, Vec<String>)> = sqlx::query_as(STANDING).fetch_all(pg).await?;
    let stands = |guard: &&Guard| {
        standing.iter().any(|(table, name, columns)| {
            table == guard.table && name == guard.name && columns.iter().eq(guard.columns.iter())
        })
    };
    Ok(GUARDS.iter().filter(|guard| !stands(guard)).map(|guard| guard.name).collect())
}

/// What guards in this schema: indexes that refuse a second row and are ready to, and checks that all rows have passed.
const STANDING: &str = "
    select t.relname::text, c.relname::text,
           array(select a.attname::text from unnest(i.indkey::smallint[]) with ordinality as k (number, place)
                   join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number order by k.place)
      from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
     where i.indisunique and i.indisvalid and i.indisready and i.indislive
       and t.relnamespace = current_schema()::regnamespace
    union all
    select t.relname::text, k.conname::text, array[]::text[]
      from pg_constraint k join pg_class t on t.oid = k.conrelid
     where k.contype = 'c' and k.convalidated and t.relnamespace = current_schema()::regnamespace";
