//! Drafts: events that are prepared, changed as a whole, and then published once and for all.

use std::sync::Arc;

use serde_json::json;

use super::CatalogError;
use super::chart::Chart;
use super::event::{Event, EventState, event_columns};
use super::form::NewEvent;
use super::prepared::Prepared;
use super::store::{Catalog, deed};
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
        let draft = Prepared::of(id, form).await?;
        within(async {
            let mut tx = self.pg.begin().await?;
            let event: Option<Event> = draft
                .bind(sqlx::query_as(
                    concat!("update events set title = $2, description = $3, venue = $4, starts_at = $5, ends_at = $6,
                            sale_starts_at = $7, sale_ends_at = $8, currency = $9, max_per_customer = $10,
                            hold_seconds = $11, orphan_rule = $12, seats = $13, waitlist = $14, offer_seconds = $15,
                            waitlist_cutoff_seconds = $16, room_minutes = $17
                      where id = $1 and state = 'draft' returning ", event_columns!()),
                ))
                .fetch_optional(&mut *tx)
                .await?;
            let event = event.ok_or(CatalogError::NotADraft)?;
            draft.store_chart(&mut tx).await?;
            let what = json!({ "title": draft.form.title, "seats": draft.places() });
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
            let published: Option<Event> = sqlx::query_as(concat!(
                "update events set state = 'published' where id = $1 and state = 'draft' returning ",
                event_columns!()
            ))
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
