//! Cursors: what a list has answered leads back to it, and what leads on is safe to ask a store.

use axum::extract::Query;
use axum::http::Uri;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use holdfast::http::pagination::{Page, Paged};

pub fn body(input: &[u8]) {
    let query = String::from_utf8_lossy(input);
    if let Some(page) = page(&query) {
        is_sane(&page);
    }
    let cursor: String = query.chars().filter(char::is_ascii_alphanumeric).collect();
    for cursor in [cursor, BASE64.encode(input)] {
        let page = page(&format!("limit=1&cursor={cursor}")).expect("any text is a cursor until it is read");
        is_sane(&page);
        if let Ok(Some(place)) = page.position() {
            assert_eq!(BASE64.encode(&place), cursor, "two cursors for one place");
            let next = Paged::cut(vec![&place, &place], &page, |place| *place).next;
            assert_eq!(next, Some(cursor), "the place leads back to its cursor");
        }
    }
}

fn page(query: &str) -> Option<Page> {
    // What is no URI does not reach a handler.
    let uri: Uri = format!("/list?{query}").parse().ok()?;
    Query::try_from_uri(&uri).ok().map(|Query(page)| page)
}

fn is_sane(page: &Page) {
    assert!((1..=100).contains(&page.limit()), "a page of {}", page.limit());
    if let Ok(Some(place)) = page.position() {
        assert!(!place.contains('\0'), "no store takes a NUL");
    }
    if let Ok(Some(id)) = page.after() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
