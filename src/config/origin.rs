//! Where pages come from that may ask us.

use std::str::FromStr;

use axum::http::HeaderValue;

/// Somebody's pages, as browsers name where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Any,
    One(HeaderValue),
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let refused =
            || format!("{text} is no origin: write https://host or https://host:port, and nothing behind it");
        let url = reqwest::Url::parse(text).map_err(|_| refused())?;
        // A browser sends an origin just as it is written here, or it is not the same.
        let is_whole = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        let value = HeaderValue::from_str(text).map_err(|_| refused())?;
        if is_whole { Ok(Self::One(value)) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        assert_eq!("*".parse(), Ok(Origin::Any));
        for good in ["https://tickets.example", "http://127.0.0.1:8081"] {
            assert_eq!(good.parse(), Ok(Origin::One(HeaderValue::from_static(good))));
        }
        for bad in [
            "tickets.example",
            "https://tickets.example/",
            "https://tickets.example/shop",
            "ftp://a",
            "",
            "null",
        ] {
            assert!(bad.parse::<Origin>().is_err_and(|why| why.contains("is no origin")), "{bad}");
        }
    }
}
