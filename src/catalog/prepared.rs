//! A form made ready to be stored: its chart compiled, and what it says in the order of an event's columns.

use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{PgConnection, Postgres};

use super::compile::compile;
use super::document::{Document, VERSION};
use super::form::NewEvent;
use super::{CatalogError, Fault};
use crate::ids::EventId;

/// A waiting list closes this long before its event where nothing is said: whoever is offered a seat must get there.
const CUTOFF: i32 = 3600;

type Ask<'q, O> = QueryAs<'q, Postgres, O, PgArguments>;

/// What a new event and a changed draft write alike.
#[derive(Debug)]
pub(super) struct Prepared {
    pub id: EventId,
    pub form: NewEvent,
    pub document: Document,
    pub etag: String,
    packed: Vec<u8>,
}

impl Prepared {
    /// Compiles the form's chart: pure work that takes a moment for a stadium, and must not hold up everybody else's
    /// requests.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] with every fault of the form.
    pub async fn of(id: EventId, form: NewEvent) -> Result<Self, CatalogError> {
        tokio::task::spawn_blocking(move || {
            let document = compile(&form)?;
            let packed = document.pack().map_err(|cause| vec![unstorable(&cause)])?;
            let etag = etag(&packed);
            Ok::<_, Vec<Fault>>(Self { id, form, document, etag, packed })
        })
        .await
        .map_err(|panic| CatalogError::Unreadable(id, panic.to_string()))?
        .map_err(CatalogError::Invalid)
    }

    pub fn places(&self) -> i32 {
        i32::try_from(self.document.places()).unwrap_or(i32::MAX)
    }

    /// Binds the event's id as `$1` and what the form says of it as `$2` to `$17`, in this order.
    pub fn bind<'q, O>(&'q self, ask: Ask<'q, O>) -> Ask<'q, O> {
        let form = &self.form;
        ask.bind(self.id)
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
            .bind(self.places())
            .bind(form.waitlist.unwrap_or(true))
            .bind(form.offer_seconds.and_then(|seconds| i32::try_from(seconds).ok()))
            .bind(
                form.waitlist_cutoff_seconds
                    .and_then(|seconds| i32::try_from(seconds).ok())
                    .unwrap_or(CUTOFF),
            )
            .bind(form.room_minutes.and_then(|minutes| i32::try_from(minutes).ok()))
    }

    /// Stores the chart, in place of a draft's earlier one. Only who has written the event's row may do this.
    pub async fn store_chart(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into charts (event_id, version, document, etag) values ($1, $2, $3, $4)
             on conflict (event_id) do update
                set version = excluded.version, document = excluded.document, etag = excluded.etag",
        )
        .bind(self.id)
        .bind(VERSION)
        .bind(&self.packed)
        .bind(&self.etag)
        .execute(tx)
        .await
        .map(drop)
    }
}

/// Names a chart by what it says.
fn etag(document: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(32);
    for byte in &Sha256::digest(document)[..16] {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

fn unstorable(cause: &std::io::Error) -> Fault {
    Fault { field: "sections".to_owned(), message: format!("cannot be stored: {cause}") }
}
