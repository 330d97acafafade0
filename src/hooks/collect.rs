//! Collecting what Redis has noted: into the log, once, and then out of Redis.
//!
//! Nothing is open while Redis is asked. A note is stored under its own id, which a unique key guards, and forgotten only
//! after that is committed: two nodes that collect at once, or one that dies in between, tell nothing twice and lose nothing.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use time::OffsetDateTime;

use super::kind::Kind;
use super::tell::{News, tell_all};
use super::{Hook, Hooks, HooksError, payload};
use crate::ids::{AccountId, EventId};
use crate::proof::{self, Step};
use crate::seats::{FeedId, Note, SeatsError};
use crate::stores::postgres::within;

/// Notes of one transaction.
const BITE: usize = 500;
/// Bites at one event before the others have their turn.
const BITES: usize = 20;
/// Diaries that are collected at a time: each may need a connection to Postgres, of which others have need, too.
const AT_A_TIME: usize = 4;
/// Events that are switched at a time.
const SIDE_BY_SIDE: usize = 16;
/// How long whoever changes an endpoint waits for Redis to know: the next pass finds what is left.
const SWITCHED_WITHIN: Duration = Duration::from_millis(800);

/// An event, and whether anybody wants to hear of its seats.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
struct Listened {
    id: EventId,
    wanted: bool,
}

impl Hooks {
    /// Collects the diaries of the events that somebody listens to, and says how many notes were new.
    pub async fn collect(&self) -> Result<usize, HooksError> {
        self.collect_from(self.listened(None, true).await?).await
    }

    /// The same for every event that can still change, so that a diary that nobody wants any more ends, too.
    pub async fn collect_everywhere(&self) -> Result<usize, HooksError> {
        self.collect_from(self.listened(None, false).await?).await
    }

    async fn collect_from(&self, events: Vec<Listened>) -> Result<usize, HooksError> {
        let mut new = 0;
        let mut collected = stream::iter(events)
            .map(async |event| {
                let collecting = async {
                    self.switch(event).await?;
                    self.collect_one(event.id).await
                };
                (event, collecting.await)
            })
            .buffer_unordered(AT_A_TIME);
        while let Some((event, collected)) = collected.next().await {
            match collected {
                Ok(notes) => new += notes,
                Err(error) => {
                    tracing::debug!(%error, event.id = %event.id, "its diary is collected next time");
                }
            }
        }
        if new > 0 {
            self.bell.notify_one();
        }
        Ok(new)
    }

    async fn collect_one(&self, event: EventId) -> Result<usize, HooksError> {
        let mut new = 0;
        for _ in 0..BITES {
            let read = self.seats.diary(event, BITE).await?;
            let Some(last) = read.last else { break };
            let news = self.news_of(event, &read.notes).await?;
            let told = within::<_, HooksError>(async {
                let mut tx = self.pg.begin().await?;
                let told = tell_all(&mut tx, event, &news).await?;
                proof::step(Step::CollectNotes, tx.commit()).await?;
                Ok(told)
            })
            .await?;
            new += usize::try_from(told).unwrap_or(0);
            self.seats.forget_notes(event, last).await?;
        }
        Ok(new)
    }

    async fn news_of(&self, event: EventId, notes: &[Note]) -> Result<Vec<News>, HooksError> {
        let chart = self.catalog.chart(event).await?;
        let title = self.catalog.event(event).await?.title;
        let news = notes.iter().map(|note| News {
            kind: Kind::from(note.kind),
            data: payload::of_note(note, &chart, &title),
            note: Some((name_of(note), moment_of(note.id))),
        });
        Ok(news.collect())
    }

    /// Lets Redis know at once that somebody listens now, or nobody any more.
    pub(super) async fn switch_soon(&self, changed: &Hook) {
        let whose = (!changed.for_all).then_some(changed.account_id);
        let switching = async {
            let events = self.listened(whose, false).await?;
            for some in events.chunks(SIDE_BY_SIDE) {
                join_all(some.iter().map(|event| self.switch(*event))).await;
            }
            Ok::<_, HooksError>(())
        };
        if !matches!(tokio::time::timeout(SWITCHED_WITHIN, switching).await, Ok(Ok(()))) {
            tracing::debug!(hook.id = %changed.id, "Redis learns of this endpoint with the next pass");
        }
    }

    /// Makes Redis keep a diary where one is wanted, and none where not.
    async fn switch(&self, event: Listened) -> Result<(), HooksError> {
        if self.seats.keeps_diary(event.id).await?.is_none_or(|keeps| keeps == event.wanted) {
            return Ok(());
        }
        match self.seats.keep_diary(event.id, event.wanted).await {
            // The rebuild that is due brings it.
            Ok(()) | Err(SeatsError::NotReady(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Events that can still change: of one organiser or of all, and only those that are listened to or every one.
    async fn listened(
        &self,
        whose: Option<AccountId>,
        only_wanted: bool,
    ) -> Result<Vec<Listened>, HooksError> {
        within(async {
            Ok(sqlx::query_as(
                "select e.id, hears.somebody is not null as wanted
                   from events e
                   left join lateral (
                        -- One is enough; and asked for each of these events, not for all that there ever were.
                        select true as somebody from hook_listeners l
                         where l.event_id = e.id and l.state = 'enabled' and l.types && $3 limit 1) hears on true
                  where greatest(e.ends_at, e.starts_at, e.created_at) > now() - interval '30 days' and e.state <> 'draft'
                    and ($1::uuid is null or e.organiser_id = $1)
                    -- Asked once: where nobody listens at all, no event is looked at.
                    and (not $2 or exists (select from hooks where state = 'enabled' and types && $3))
                    and (not $2 or hears.somebody)
                  order by e.starts_at, e.id",
            )
            .bind(whose)
            .bind(only_wanted)
            .bind(Kind::of_seats().as_slice())
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }
}

/// What a note is known by. Its hold is part of it, because ids of notes begin anew in a Redis that lost its memory.
fn name_of(note: &Note) -> String {
    format!("{} {}", note.id, note.hold)
}

fn moment_of(id: FeedId) -> OffsetDateTime {
    let millis = i128::from(id.ms);
    OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000)
        .unwrap_or_else(|_| OffsetDateTime::now_utc())
}
