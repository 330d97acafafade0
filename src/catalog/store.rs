//! Events and charts in Postgres, and the charts that this node has read.

use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::CatalogError;
use super::chart::Chart;
use super::check::{self, Faults};
use super::compile::compile;
use super::document::{Document, VERSION};
use super::drawing::draw;
use super::event::{Event, EventState, event_columns};
use super::form::{EventPatch, NewEvent};
use super::on_sale::Found;
use super::prepared::Prepared;
use super::shelf::{Place, Shelf};
use crate::ids::{AccountId, EventId};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;
use crate::trail::{self, Deed};

/// The catalog. Clones share the charts that were read.
#[derive(Clone)]
pub struct Catalog {
    pub(super) pg: PgPool,
    shelf: Shelf,
    metrics: Metrics,
    /// What the loops of this node share. Locked for a look at a time, never across an await.
    pub(super) on_sale: Arc<Mutex<Found>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Catalog")
    }
}

impl Catalog {
    #[must_use]
    pub fn new(pg: PgPool, metrics: Metrics) -> Self {
        Self { pg, shelf: Shelf::default(), metrics, on_sale: Arc::default() }
    }

    /// Makes an event, published or as a draft. The same id again answers with the event that it made before.
    pub async fn create(
        &self,
        id: EventId,
        organiser: AccountId,
        form: NewEvent,
    ) -> Result<Event, CatalogError> {
        let prepared = Prepared::of(id, form).await?;
        let number = self.insert(&prepared, organiser).await?;
        // What was just compiled need not be read back. After a repeat it is the first try's chart that counts, and
        // a draft's may still change.
        if let Some(number) = number
            && !prepared.form.is_draft()
        {
            self.put_on_shelf(id, number, prepared.etag, prepared.document).await?;
        }
        self.event(id).await
    }

    /// The new event's number; `None` when this id has an event already.
    async fn insert(&self, new: &Prepared, organiser: AccountId) -> Result<Option<i32>, CatalogError> {
        let (state, action) = if new.form.is_draft() {
            (EventState::Draft, "event drafted")
        } else {
            (EventState::Published, "event published")
        };
        within(async {
            let mut tx = self.pg.begin().await?;
            let made: Option<(i32,)> = new
                .bind(sqlx::query_as(
                    "insert into events (id, title, description, venue, starts_at, ends_at, sale_starts_at,
                            sale_ends_at, currency, max_per_customer, hold_seconds, orphan_rule, seats, waitlist,
                            offer_seconds, waitlist_cutoff_seconds, room_minutes, organiser_id, state)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
                     on conflict (id) do nothing
                     returning number",
                ))
                .bind(organiser)
                .bind(state)
                .fetch_optional(&mut *tx)
                .await?;
            if made.is_some() {
                let what = json!({ "title": new.form.title });
                trail::write(&mut tx, &deed(organiser, new.id, action, what)).await?;
                new.store_chart(&mut tx).await?;
            }
            tx.commit().await?;
            Ok(made.map(|(number,)| number))
        })
        .await
    }

    /// An event as it is now.
    pub async fn event(&self, id: EventId) -> Result<Event, CatalogError> {
        within(async {
            sqlx::query_as(concat!("select ", event_columns!(), " from events where id = $1"))
                .bind(id)
                .fetch_optional(&self.pg)
                .await?
                .ok_or(CatalogError::NotFound)
        })
        .await
    }

    /// Events, soonest first, after a place in the list.
    pub async fn list(
        &self,
        after: Option<(OffsetDateTime, EventId)>,
        limit: i64,
    ) -> Result<Vec<Event>, CatalogError> {
        let (moment, id) = after.unzip();
        within(async {
            Ok(sqlx::query_as(concat!(
                "select ",
                event_columns!(),
                " from events
                  where ($1::timestamptz is null or (starts_at, id) > ($1, $2)) and state <> 'draft'
                  order by starts_at, id limit $3"
            ))
            .bind(moment)
            .bind(id)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// An organiser's events, or everybody's, newest first, after the given one.
    pub async fn newest(
        &self,
        organiser: Option<AccountId>,
        after: Option<EventId>,
        limit: i64,
    ) -> Result<Vec<Event>, CatalogError> {
        within(async {
            Ok(sqlx::query_as(concat!(
                "select ",
                event_columns!(),
                " from events
                  where ($1::uuid is null or organiser_id = $1) and ($2::uuid is null or id < $2)
                  order by id desc limit $3"
            ))
            .bind(organiser)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// The drawing of a form's chart; nothing is stored.
    pub async fn preview(&self, form: NewEvent) -> Result<Vec<u8>, CatalogError> {
        let nobody = EventId(Uuid::nil());
        tokio::task::spawn_blocking(move || compile(&form).map(|chart| draw(nobody, "preview", &chart)))
            .await
            .map_err(|panic| CatalogError::Unreadable(nobody, panic.to_string()))?
            .map_err(CatalogError::Invalid)
    }

    /// Edits what may be edited.
    pub async fn update(&self, id: EventId, patch: EventPatch, by: AccountId) -> Result<Event, CatalogError> {
        let before = self.event(id).await?;
        let mut faults = Faults::default();
        check::patch(&patch, &before, &mut faults);
        if !faults.is_empty() {
            return Err(CatalogError::Invalid(faults.into_list()));
        }
        let changed = patch.changed();
        let most = patch.max_per_customer.map(|most| most.and_then(|most| i32::try_from(most).ok()));
        within(async {
            let mut tx = self.pg.begin().await?;
            let event = sqlx::query_as(concat!(
                "update events set title = coalesce($2, title), description = coalesce($3, description),
                        venue = coalesce($4, venue), starts_at = coalesce($5, starts_at),
                        ends_at = case when $6 then $7 else ends_at end,
                        sale_starts_at = case when $8 then $9 else sale_starts_at end,
                        sale_ends_at = case when $10 then $11 else sale_ends_at end,
                        max_per_customer = case when $12 then $13 else max_per_customer end,
                        orphan_rule = coalesce($14, orphan_rule),
                        waitlist = coalesce($15, waitlist),
                        offer_seconds = case when $16 then $17 else offer_seconds end,
                        waitlist_cutoff_seconds = coalesce($18, waitlist_cutoff_seconds),
                        room_minutes = case when $19 then $20 else room_minutes end
                  where id = $1 returning ",
                event_columns!()
            ))
            .bind(id)
            .bind(patch.title.map(|title| title.trim().to_owned()))
            .bind(patch.description)
            .bind(patch.venue)
            .bind(patch.starts_at)
            .bind(patch.ends_at.is_some())
            .bind(patch.ends_at.flatten())
            .bind(patch.sale_starts_at.is_some())
            .bind(patch.sale_starts_at.flatten())
            .bind(patch.sale_ends_at.is_some())
            .bind(patch.sale_ends_at.flatten())
            .bind(most.is_some())
            .bind(most.flatten())
            .bind(patch.orphan_rule)
            .bind(patch.waitlist)
            .bind(patch.offer_seconds.is_some())
            .bind(patch.offer_seconds.flatten().and_then(|seconds| i32::try_from(seconds).ok()))
            .bind(patch.waitlist_cutoff_seconds.and_then(|seconds| i32::try_from(seconds).ok()))
            .bind(patch.room_minutes.is_some())
            .bind(patch.room_minutes.flatten().and_then(|minutes| i32::try_from(minutes).ok()))
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(CatalogError::NotFound)?;
            trail::write(&mut tx, &deed(by, id, "event changed", json!({ "fields": changed }))).await?;
            tx.commit().await?;
            Ok(event)
        })
        .await
    }

    /// An event's chart. Read from Postgres once, however many ask at a time; afterwards no store is touched. A draft
    /// has none yet: what may still change is kept nowhere.
    pub async fn chart(&self, id: EventId) -> Result<Arc<Chart>, CatalogError> {
        self.chart_at(self.shelf.place(id), id).await
    }

    /// The same for who walks through all events: it makes none of them stay that people do not ask for.
    pub async fn chart_in_passing(&self, id: EventId) -> Result<Arc<Chart>, CatalogError> {
        self.chart_at(self.shelf.place_in_passing(id), id).await
    }

    async fn chart_at(&self, place: Place, id: EventId) -> Result<Arc<Chart>, CatalogError> {
        if let Some(chart) = place.get() {
            return Ok(Arc::clone(chart));
        }
        match place.get_or_try_init(|| self.read(id, false)).await {
            Ok(chart) => {
                self.make_room();
                Ok(Arc::clone(chart))
            }
            Err(error) => {
                // What is not there takes no room: an id that is asked for in a loop leaves nothing behind.
                self.shelf.clear(id);
                Err(error)
            }
        }
    }

    /// The chart of the event with this number, which is what a hold's id says.
    pub async fn chart_by_number(&self, number: i32) -> Result<Arc<Chart>, CatalogError> {
        let id = match self.shelf.numbered(number) {
            Some(id) => id,
            None => {
                within(async {
                    let found: Option<(EventId,)> = sqlx::query_as("select id from events where number = $1")
                        .bind(number)
                        .fetch_optional(&self.pg)
                        .await?;
                    found.map(|(id,)| id).ok_or(CatalogError::NotFound)
                })
                .await?
            }
        };
        self.chart(id).await
    }

    pub(super) async fn read(&self, id: EventId, draft: bool) -> Result<Arc<Chart>, CatalogError> {
        let (number, version, packed, etag) = within(async {
            let row: Option<(i32, i32, Vec<u8>, String)> = sqlx::query_as(
                "select e.number, c.version, c.document, c.etag
                   from charts c join events e on e.id = c.event_id
                  where c.event_id = $1 and (e.state = 'draft') = $2",
            )
            .bind(id)
            .bind(draft)
            .fetch_optional(&self.pg)
            .await?;
            row.ok_or(CatalogError::NotFound)
        })
        .await?;
        if !draft {
            self.metrics.charts_read.inc();
        }
        if version != VERSION {
            return Err(CatalogError::Unreadable(id, format!("it has version {version}")));
        }
        let chart = tokio::task::spawn_blocking(move || {
            Document::unpack(&packed).map(|document| Chart::new(id, number, etag, document))
        })
        .await
        .map_err(|panic| CatalogError::Unreadable(id, panic.to_string()))?
        .map_err(|cause| CatalogError::Unreadable(id, cause.to_string()))?;
        let chart = Arc::new(chart);
        if !draft {
            self.shelf.number(number, id);
            draw_ahead(&chart);
        }
        Ok(chart)
    }

    async fn put_on_shelf(
        &self,
        id: EventId,
        number: i32,
        etag: String,
        document: Document,
    ) -> Result<(), CatalogError> {
        let chart = tokio::task::spawn_blocking(move || Arc::new(Chart::new(id, number, etag, document)))
            .await
            .map_err(|panic| CatalogError::Unreadable(id, panic.to_string()))?;
        draw_ahead(&chart);
        let place = self.shelf.place(id);
        place.get_or_init(|| std::future::ready(chart)).await;
        self.shelf.number(number, id);
        self.make_room();
        Ok(())
    }

    fn make_room(&self) {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || shelf.make_room());
    }
}

/// Makes the drawing before the first customer asks for it: a stadium's takes a good part of a second.
fn draw_ahead(chart: &Arc<Chart>) {
    let chart = Arc::clone(chart);
    tokio::task::spawn_blocking(move || {
        chart.drawing();
    });
}

pub(super) fn deed(actor: AccountId, event: EventId, action: &str, detail: Value) -> Deed<'_> {
    Deed { actor, event: Some(event), action, subject: None, detail }
}
