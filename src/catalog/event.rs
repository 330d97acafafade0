//! An event as Postgres has it.

use time::{Duration, OffsetDateTime};

use crate::ids::{AccountId, EventId};
use crate::money::Currency;
use crate::stores::postgres::moment;

/// Whether an event can be sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EventState {
    /// Prepared; nobody but its organiser knows of it.
    Draft,
    Published,
    Cancelled,
}

/// The columns of an [`Event`], by name: a migration may add others while statements that were prepared before it are in
/// use, and those must not see them.
macro_rules! event_columns {
    () => {
        "id, number, organiser_id, title, description, venue, starts_at, ends_at, sale_starts_at, sale_ends_at, currency,
         max_per_customer, hold_seconds, orphan_rule, waitlist, offer_seconds, waitlist_cutoff_seconds, room_minutes,
         waits, state, epoch, seats"
    };
}
pub(super) use event_columns;

/// One performance, without its chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub number: i32,
    pub organiser_id: AccountId,
    pub title: String,
    pub description: String,
    pub venue: String,
    pub starts_at: OffsetDateTime,
    pub ends_at: Option<OffsetDateTime>,
    pub sale_starts_at: Option<OffsetDateTime>,
    pub sale_ends_at: Option<OffsetDateTime>,
    pub currency: Currency,
    pub max_per_customer: Option<u32>,
    pub hold_seconds: Option<u32>,
    pub orphan_rule: bool,
    /// Whether one can wait for seats.
    pub waitlist: bool,
    /// How long an offer to a waiting party lasts; `None` for the service's default.
    pub offer_seconds: Option<u32>,
    /// The list closes this long before the event.
    pub waitlist_cutoff_seconds: u32,
    /// An on-sale that is entered through a waiting room, which opens so many minutes before the sale; `None`: there
    /// is none.
    pub room_minutes: Option<u32>,
    /// Parties wait: what comes free is theirs before it is everybody's.
    pub waits: bool,
    pub state: EventState,
    /// How often its picture in Redis was rebuilt.
    pub epoch: i32,
    pub seats: u32,
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for Event {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        use sqlx::Row as _;
        let count = |column: &str| -> Result<Option<u32>, sqlx::Error> {
            Ok(row.try_get::<Option<i32>, _>(column)?.and_then(|count| u32::try_from(count).ok()))
        };
        let currency: String = row.try_get("currency")?;
        Ok(Self {
            id: row.try_get("id")?,
            number: row.try_get("number")?,
            organiser_id: row.try_get("organiser_id")?,
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            venue: row.try_get("venue")?,
            starts_at: row.try_get("starts_at")?,
            ends_at: row.try_get("ends_at")?,
            sale_starts_at: row.try_get("sale_starts_at")?,
            sale_ends_at: row.try_get("sale_ends_at")?,
            currency: currency.parse().map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?,
            max_per_customer: count("max_per_customer")?,
            hold_seconds: count("hold_seconds")?,
            orphan_rule: row.try_get("orphan_rule")?,
            waitlist: row.try_get("waitlist")?,
            offer_seconds: count("offer_seconds")?,
            waitlist_cutoff_seconds: count("waitlist_cutoff_seconds")?.unwrap_or(0),
            room_minutes: count("room_minutes")?,
            waits: row.try_get("waits")?,
            state: row.try_get("state")?,
            epoch: row.try_get("epoch")?,
            seats: count("seats")?.unwrap_or(0),
        })
    }
}

impl Event {
    /// When the waiting room opens, if there is one and the sale has a beginning.
    #[must_use]
    pub fn room_opens_at(&self) -> Option<OffsetDateTime> {
        Some(self.sale_starts_at? - Duration::minutes(self.room_minutes?.into()))
    }

    /// When the sale ends, if anything says so.
    #[must_use]
    pub fn sale_end(&self) -> Option<OffsetDateTime> {
        self.sale_ends_at.or(self.ends_at)
    }

    /// Whether one can join the waiting list, and parties on it are still offered seats.
    #[must_use]
    pub fn waitlist_is_open(&self, now: OffsetDateTime) -> bool {
        let cutoff = self.starts_at - Duration::seconds(self.waitlist_cutoff_seconds.into());
        self.state == EventState::Published
            && self.waitlist
            && now < cutoff
            && self.sale_starts_at.is_none_or(|opens| opens <= now)
            && self.sale_end().is_none_or(|closes| now < closes)
    }

    /// Where the event stands in the list of events, for a cursor.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}.{}", self.starts_at.unix_timestamp_nanos() / 1000, self.id)
    }

    /// What [`Event::place`] has written.
    #[must_use]
    pub fn read_place(place: &str) -> Option<(OffsetDateTime, EventId)> {
        let (micros, id) = place.split_once('.')?;
        Some((moment(micros)?, id.parse().ok()?))
    }
}
