//! Lists in pages: `?limit=…&cursor=…` asks, `{items, next}` answers.
//!
//! A cursor names the last item that was seen, so that what is added or removed meanwhile neither repeats nor
//! hides another. To callers it is opaque.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::invalid;
use super::problem::Problem;

const USUAL: u32 = 20;
const MOST: u32 = 100;

/// Which page is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// `next` of the page before; left out for the first page.
    cursor: Option<String>,
    /// How many items, from 1 to 100.
    #[serde(default, deserialize_with = "in_bounds")]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

fn in_bounds<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(source)? {
        limit @ 1..=MOST => Ok(Some(limit)),
        _ => Err(de::Error::custom(format_args!("must be from 1 to {MOST}"))),
    }
}

impl Page {
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(USUAL)
    }

    /// What to read to fill the page and to learn whether there is another.
    #[must_use]
    pub fn limit_and_one(&self) -> i64 {
        i64::from(self.limit()) + 1
    }

    /// What the item was called at which the page before ended.
    ///
    /// # Errors
    /// When the cursor is none of ours.
    pub fn position(&self) -> Result<Option<String>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        // Postgres cannot even be asked about a text with a NUL in it.
        text.filter(|text| !text.contains('\0')).map(Some).ok_or_else(not_ours)
    }

    /// The position in a list whose items have places of their own.
    ///
    /// # Errors
    /// When the cursor is none of ours, or another list's.
    pub fn place<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        self.position()?.map(|place| read(&place).ok_or_else(not_ours)).transpose()
    }

    /// The position in a list that is ordered by id alone.
    ///
    /// # Errors
    /// When the cursor is none of ours, or another list's.
    pub fn after(&self) -> Result<Option<Uuid>, Problem> {
        self.place(|id| Uuid::try_parse(id).ok())
    }
}

/// The fault of a cursor that does not say a place in this list.
fn not_ours() -> Problem {
    invalid("cursor", "is not one that a list has answered")
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paged<T> {
    pub items: Vec<T>,
    /// The `cursor` of the next page; null when this is the last.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// Makes the page of what [`Page::limit_and_one`] has read; `place` names an item's position.
    #[must_use]
    pub fn cut<P: ToString>(mut items: Vec<T>, page: &Page, place: impl Fn(&T) -> P) -> Self {
        let limit = page.limit() as usize;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| has_more).map(|item| place(item).to_string());
        Self { items, next: last.map(|place| BASE64_URL_SAFE_NO_PAD.encode(place)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::Query;
    use axum::extract::FromRequestParts;
    use axum::http::Request;

    async fn asked(query: &str) -> Result<Page, Problem> {
        let (mut parts, ()) =
            Request::get(format!("/list?{query}")).body(()).expect("a request").into_parts();
        Query::<Page>::from_request_parts(&mut parts, &()).await.map(|Query(page)| page)
    }

    #[tokio::test]
    async fn the_next_page_starts_where_this_one_ended() {
        let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
        let first = Paged::cut(ids.clone(), &asked("limit=2").await.expect("a page"), |id| *id);
        assert_eq!(first.items, ids[..2]);

        let cursor = first.next.expect("another page");
        let second = asked(&format!("limit=2&cursor={cursor}")).await.expect("a page");
        assert_eq!(second.after().expect("our cursor"), Some(ids[1]));
        assert_eq!(Paged::cut(ids[2..].to_vec(), &second, |id| *id).next, None);
    }

    #[tokio::test]
    async fn a_full_last_page_has_no_next() {
        let page = asked("limit=2").await.expect("a page");
        assert_eq!(page.limit_and_one(), 3);
        assert_eq!(Paged::cut(vec![1, 2], &page, |item| *item).next, None);
    }

    #[tokio::test]
    async fn a_limit_outside_its_bounds_is_named() {
        assert_eq!(asked("").await.expect("a page").limit(), USUAL);
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=ten", "limit="] {
            assert!(asked(bad).await.is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_strange_cursor_is_refused() {
        for strange in ["cursor=%21", "cursor=bm90IGFuIGlk", "cursor=_w"] {
            assert!(asked(strange).await.expect("a page").after().is_err(), "{strange}");
        }
    }
}
