//! A party's states, and the only way to move between them: with a row that says who and why.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::WaitlistError;
use crate::ids::{AccountId, EntryId, EventId, HoldId};

/// Where a party stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EntryState {
    Waiting,
    /// Seats are held for it until the offer ends.
    Offered,
    /// It has checked its offer out.
    Served,
    /// It did not want what it was offered.
    Declined,
    /// It did not answer its offer in time.
    Lapsed,
    /// It did not want to wait any longer.
    Left,
    /// The list was closed before its turn came.
    Closed,
}

impl EntryState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::Served => "served",
            Self::Declined => "declined",
            Self::Lapsed => "lapsed",
            Self::Left => "left",
            Self::Closed => "closed",
        }
    }
}

/// A party as the list has it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Party {
    pub id: EntryId,
    pub event_id: EventId,
    pub account_id: AccountId,
    pub quantity: i32,
    pub section: Option<String>,
    pub category: Option<String>,
    pub max_price: Option<i64>,
    pub tries: i32,
    pub passed_over: Option<String>,
}

/// Why a party moves.
pub(super) struct Move<'a> {
    pub to: EntryState,
    pub cause: &'a str,
    /// `None` when time or an offer moves it.
    pub by: Option<AccountId>,
    pub hold: Option<HoldId>,
}

/// Moves a party that stands at `from`; false when it does not stand there any more.
pub(super) async fn advance(
    tx: &mut PgConnection,
    entry: EntryId,
    from: EntryState,
    why: &Move<'_>,
) -> Result<bool, WaitlistError> {
    let moved: Option<(EventId,)> =
        sqlx::query_as("update waitlist set state = $3 where id = $1 and state = $2 returning event_id")
            .bind(entry)
            .bind(from)
            .bind(why.to)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((event,)) = moved else { return Ok(false) };
    write(tx, event, entry, Some(from), why).await?;
    Ok(true)
}

/// Writes one row of the proof, numbered within its party.
pub(super) async fn write(
    tx: &mut PgConnection,
    event: EventId,
    entry: EntryId,
    from: Option<EntryState>,
    why: &Move<'_>,
) -> Result<(), WaitlistError> {
    sqlx::query(
        "insert into waitlist_log (event_id, entry_id, step, from_state, to_state, cause, actor, hold_id)
         select $1, $2, coalesce(max(step), 0) + 1, $3, $4, $5, $6, $7 from waitlist_log where entry_id = $2",
    )
    .bind(event)
    .bind(entry)
    .bind(from)
    .bind(why.to)
    .bind(why.cause)
    .bind(why.by.map_or_else(|| "clock".to_owned(), |by| by.to_string()))
    .bind(why.hold)
    .execute(tx)
    .await?;
    Ok(())
}
