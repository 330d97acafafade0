//! Which coding a reader takes, of bodies that are there in all of them.

use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;

use crate::packing::Coding;

/// The best that is accepted and not named to be refused: of two that are as welcome, the smaller.
pub fn asked_for(headers: &HeaderMap) -> Coding {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut best = (Coding::Plain, 0.0);
    for one in accepted.flat_map(|list| list.split(',')) {
        let (name, quality) = one.split_once(';').unwrap_or((one, "q=1"));
        let quality: f32 = quality.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(1.0);
        let coding = match name.trim() {
            name if name.eq_ignore_ascii_case("br") => Coding::Brotli,
            name if name.eq_ignore_ascii_case("gzip") => Coding::Gzip,
            _ => continue,
        };
        if quality > best.1 || (quality >= best.1 && quality > 0.0 && coding == Coding::Brotli) {
            best = (coding, quality);
        }
    }
    best.0
}

/// An answer whose body is in this coding already: nobody packs it again.
pub fn answer(kind: &'static str, coding: Coding, body: Bytes) -> axum::response::Response {
    let mut answer = Response::new(axum::body::Body::from(body));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(name) = coding.name() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_coding_that_is_taken_is_chosen() {
        let asked = |accepted: &'static str| {
            asked_for(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
        };
        for accepted in ["gzip, deflate, br, zstd", "br", "gzip;q=0.8, BR;q=0.8", "br;q=1.0, gzip;q=0.5"] {
            assert_eq!(asked(accepted), Coding::Brotli, "{accepted}");
        }
        for accepted in ["gzip", "deflate, GZIP;q=0.5", "br;q=0, gzip", "br;q=0.1, gzip;q=0.9"] {
            assert_eq!(asked(accepted), Coding::Gzip, "{accepted}");
        }
        for accepted in ["", "identity", "gzip;q=0, br;q=0", "deflate"] {
            assert_eq!(asked(accepted), Coding::Plain, "{accepted}");
        }
        assert_eq!(asked_for(&HeaderMap::new()), Coding::Plain);
    }
}
