//! The witness: a number that Postgres raises and every picture in Redis is told afterwards, so that a store that has lost
//! what it had acknowledged is found out, whatever lost it.
//!
//! A picture that knows a greater number than Postgres has seen a later Postgres: a backup was restored, or a standby took
//! over that missed the end. A picture that is two numbers behind is an old copy. Either way no marker tells: the epoch is
//! raised, and the picture is built anew from what Postgres says now.

use crate::ids::EventId;
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// A picture may have missed the last number: a failover loses some moments, and the comparison of seats mends those.
const MAY_MISS: i64 = 1;

#[derive(Debug, Clone, Copy, sqlx::FromRow)]
struct Witness {
    number: i64,
    told: i64,
}

/// What asking came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Pictures that are built anew.
    pub doubted: usize,
    /// Pictures that could not be asked: a part of a Cluster is away. They are asked when it is back.
    pub unasked: usize,
}

impl Desk {
    /// Raises the number and tells it to every picture, once a period on whichever node is first.
    pub async fn raise_witness(&self) -> Result<(), OrdersError> {
        // While a picture could not be told, the number stands still: else an outage of Redis would look like a loss.
        let raised: Option<Witness> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "update witness set number = number + (number = told)::integer, raised_at = now()
                      where raised_at <= now() - make_interval(secs => $1) returning number, told",
                )
                .bind(self.clock.reconcile.as_secs_f64())
                .fetch_optional(&self.pg)
                .await?,
            )
        })
        .await?;
        let Some(Witness { number, told }) = raised else { return Ok(()) };
        for event in self.events_on_sale().await?.iter() {
            // A store was replaced in this moment: what tells so is not overwritten, and found by the next look.
            if !self.seats.raise_witness(event.id, number, told - MAY_MISS).await? {
                return Ok(());
            }
        }
        within(async {
            sqlx::query("update witness set told = greatest(told, $1) where number >= $1")
                .bind(number)
                .execute(&self.pg)
                .await?;
            Ok(())
        })
        .await
    }

    /// Looks whether a store has lost something, and doubts every picture that it may concern: they are built anew. Says how
    /// many those are.
    ///
    /// A part of a Cluster that is away keeps nobody from asking the others.
    pub async fn ask_witness(&self) -> Result<Asked, OrdersError> {
        let before = self.witness().await?;
        let events = self.events_on_sale().await?;
        let mut known = Vec::with_capacity(events.len());
        let (mut unasked, mut away) = (0, None);
        for event in events.iter() {
            match self.seats.witness(event.id).await {
                Ok(number) => known.push((event.id, number)),
                Err(error) => {
                    unasked += 1;
                    away = Some(error);
                }
            }
        }
        // The number is raised before it is told: read after Redis, it is at least as great as what Redis knows.
        let after = self.witness().await?;
        let latest = known.iter().filter_map(|(_, number)| *number).max().unwrap_or(0);
        if latest > after.number {
            return match away {
                // Pictures that are away may show the lost past, too, and have to be doubted with the others.
                Some(error) => Err(error.into()),
                None => self.postgres_went_back(&known, after.number, latest).await,
            };
        }
        let mut doubted = 0;
        for (event, number) in known {
            if number.is_some_and(|number| number + MAY_MISS < before.told) {
                tracing::error!(event.id = %event, "Redis shows an old copy of the picture: it is built anew");
                Metrics::count(&self.metrics.went_back, "redis");
                self.doubt(&[event]).await?;
                doubted += 1;
            }
        }
        Ok(Asked { doubted, unasked })
    }

    /// What the picture that is now being built will say that it knows.
    pub(super) async fn witness_number(&self) -> Result<i64, OrdersError> {
        Ok(self.witness().await?.number)
    }

    /// Has the pictures of these events built anew, whatever they say: their epoch is over. For when it is known that they
    /// show another past than Postgres has.
    pub async fn doubt(&self, events: &[EventId]) -> Result<(), OrdersError> {
        let mut seen = Vec::with_capacity(events.len());
        for &event in events {
            let (shown, loading) = self.seats.epochs(event).await?;
            seen.push(shown.max(loading).unwrap_or(0));
        }
        within(async {
            sqlx::query(
                "update events e set epoch = greatest(e.epoch, seen.epoch) + 1
                   from unnest($1::uuid[], $2::integer[]) as seen (id, epoch) where e.id = seen.id",
            )
            .bind(events)
            .bind(seen)
            .execute(&self.pg)
            .await?;
            Ok(())
        })
        .await
    }

    /// New events are given numbers that no event had before, also none that was lost: tickets carry their event's number, and
    /// doors know them without us.
    pub async fn skip_event_numbers(&self) -> Result<(), OrdersError> {
        within(async {
            sqlx::query(
                "select setval(pg_get_serial_sequence('events', 'number'),
                               (select coalesce(max(number), 0) + 1000 from events))",
            )
            .execute(&self.pg)
            .await?;
            Ok(())
        })
        .await
    }

    async fn postgres_went_back(
        &self,
        known: &[(EventId, Option<i64>)],
        number: i64,
        latest: i64,
    ) -> Result<Asked, OrdersError> {
        let events: Vec<EventId> = known.iter().map(|(event, _)| *event).collect();
        // First the epochs: whoever dies in between leaves the number behind, and the next look finds it so again.
        self.doubt(&events).await?;
        let won = within(async {
            let caught_up = sqlx::query("update witness set number = $2 + 1, told = 0 where number = $1")
                .bind(number)
                .bind(latest)
                .execute(&self.pg)
                .await?;
            Ok::<_, OrdersError>(caught_up.rows_affected() == 1)
        })
        .await?;
        if won {
            Metrics::count(&self.metrics.went_back, "postgres");
            tracing::error!(
                events = events.len(),
                "Postgres has lost what it had acknowledged: pictures are built anew, and Stripe is asked what it knows"
            );
        }
        Ok(Asked { doubted: events.len(), unasked: 0 })
    }

    /// Since when the Postgres that answers runs: another moment means a restart or another server.
    pub async fn postgres_since(&self) -> Result<String, OrdersError> {
        within(async {
            let (since,): (String,) =
                sqlx::query_as("select pg_postmaster_start_time()::text").fetch_one(&self.pg).await?;
            Ok(since)
        })
        .await
    }

    async fn witness(&self) -> Result<Witness, OrdersError> {
        within(async { Ok(sqlx::query_as("select number, told from witness").fetch_one(&self.pg).await?) })
            .await
    }
}
