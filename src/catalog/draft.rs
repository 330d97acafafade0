//! Drafts: events that are prepared, changed as a whole, and then published once and for all.

use std::sync::Arc;

use serde_json::json;

use super::chart::Chart;
use super::compile::compile;
use super::document::VERSION;
use super::event::{Event, EventState};
use super::form::NewEvent;
use super::store::{CUTOFF, Catalog, deed, etag, unstorable};
use super::{CatalogError, Fault};
use crate::ids::{AccountId, EventId};
use crate::stores::postgres::within;
use crate::trail;

impl Catalog {
    /// The chart of a draft as it is now.
    pub async fn chart_of_draft(&self, id: EventId) -> Result<Arc<Chart>, CatalogError> {
        self.read(id, true).await
    }

    /// Makes a draft what this form says, places included.
    ///
    /// # Errors
    /// [`CatalogError::NotADraft`] when it is published: its chart has been promised.
    pub async fn redraft(&self, id: EventId, form: NewEvent, by: AccountId) -> Result<Event, CatalogError> {
        let (form, document, packed) = tokio::task::spawn_blocking(move || {
            let document = compile(&form)?;
            let packed = document.pack().map_err(|cause| vec![unstorable(&cause)])?;
            Ok::<_, Vec<Fault>>((form, document, packed))
        })
        .await
        .map_err(|panic| CatalogError::Unreadable(id, panic.to_string()))?
        .map_err(CatalogError::Invalid)?;
        let etag = etag(&packed);
        let places = i32::try_from(document.places()).unwrap_or(i32::MAX);
        within(async {
            let mut tx = self.pg.begin().await?;
            let event: Option<Event> = sqlx::query_as(
                "update events set title = $2, description = $3, venue = $4, starts_at = $5, ends_at = $6,
                        sale_starts_at = $7, sale_ends_at = $8, currency = $9, max_per_customer = $10,
                        hold_seconds = $11, orphan_rule = $12, seats = $13, waitlist = $14, offer_seconds = $15,
                        waitlist_cutoff_seconds = $16, room_minutes = $17
                  where id = $1 and state = 'draft' returning *",
            )
            .bind(id)
            .bind(form.title.trim())
            .bind(form.description.as_deref().unwrap_or_default())
            .bind(form.venue.as_deref().unwrap_or_default())
            .bind(form.starts_at)
            .bind(form.ends_at)
            .bind(form.sale_starts_at)
            .bind(form.sale_ends_at)
            .bind(form.currency.as_deref().unwrap_or("eur").to_ascii_lowercase())
            .bind(form.max_per_customer.and_then(|most| i32::try_from(most).ok()))
            .bind(form.hold_seconds.and_then(|seconds| i32::try_from(seconds).ok()))
            .bind(form.orphan_rule.unwrap_or(true))
            .bind(places)
            .bind(form.waitlist.unwrap_or(true))
            .bind(form.offer_seconds.and_then(|seconds| i32::try_from(seconds).ok()))
            .bind(form.waitlist_cutoff_seconds.and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or(CUTOFF))
            .bind(form.room_minutes.and_then(|minutes| i32::try_from(minutes).ok()))
            .fetch_optional(&mut *tx)
            .await?;
            let event = event.ok_or(CatalogError::NotADraft)?;
            sqlx::query("update charts set version = $2, document = $3, etag = $4 where event_id = $1")
                .bind(id)
                .bind(VERSION)
                .bind(&packed)
                .bind(&etag)
                .execute(&mut *tx)
                .await?;
            let what = json!({ "title": form.title, "seats": places });
            trail::write(&mut tx, &deed(by, id, "draft changed", what)).await?;
            tx.commit().await?;
            Ok(event)
        })
        .await
    }

    /// Publishes a draft: from here on everybody sees it, and its chart never changes. A repeat changes nothing.
    pub async fn publish(&self, id: EventId, by: AccountId) -> Result<Event, CatalogError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            let published: Option<Event> = sqlx::query_as(
                "update events set state = 'published' where id = $1 and state = 'draft' returning *",
            )
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
            let Some(event) = published else {
                tx.rollback().await?;
                let event = self.event(id).await?;
                let is_out = event.state == EventState::Published;
                return if is_out { Ok(event) } else { Err(CatalogError::NotADraft) };
            };
            let what = json!({ "title": event.title });
            trail::write(&mut tx, &deed(by, id, "event published", what)).await?;
            tx.commit().await?;
            Ok(event)
        })
        .await
    }

    /// Throws a draft away. What is not there any more is thrown away already.
    pub async fn discard(&self, id: EventId, by: AccountId) -> Result<(), CatalogError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            sqlx::query("delete from charts where event_id = (select id from events where id = $1 and state = 'draft' for update)")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            let gone = sqlx::query("delete from events where id = $1 and state = 'draft'")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            if gone.rows_affected() == 0 {
                return Err(CatalogError::NotADraft);
            }
            trail::write(&mut tx, &deed(by, id, "draft discarded", json!({}))).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}
