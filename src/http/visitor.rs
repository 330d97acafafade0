//! Where a request comes from, behind the proxies that the settings name.
//!
//! Anybody can write a `X-Forwarded-For`. What counts is who handed us the request; only where that is a proxy of ours
//! is it believed about the one before it, and so on, until somebody who is no proxy of ours.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use crate::config::{Config, ForwardedHeader};
use crate::limits::{Address, Network};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor(pub Address);

impl Visitor {
    pub fn of(request: &Request, config: &Config) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::from(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let said = || spoken_for(request.headers(), config.forwarded_header);
        Self(Address::of(furthest(peer, &config.trusted_proxies, said)))
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let known = parts.extensions.get::<Self>().copied();
        Ok(known.unwrap_or(Self(Address::of(Ipv4Addr::UNSPECIFIED.into()))))
    }
}

/// The first that is no proxy of ours, seen from here; the last proxy whose word we have, where that is nobody.
fn furthest(peer: IpAddr, trusted: &[Network], said: impl FnOnce() -> Vec<Option<IpAddr>>) -> IpAddr {
    let is_ours = |ip| trusted.iter().any(|network| network.contains(ip));
    if !is_ours(peer) {
        return peer;
    }
    let mut last = peer;
    for hop in said().into_iter().rev() {
        let Some(ip) = hop else { break };
        last = ip;
        if !is_ours(ip) {
            break;
        }
    }
    last
}

/// Whom proxies say they speak for, nearest last; `None` where one does not say, or not so that it can be read.
fn spoken_for(headers: &HeaderMap, written_in: ForwardedHeader) -> Vec<Option<IpAddr>> {
    let name = match written_in {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => header::FORWARDED,
    };
    let mut hops = Vec::new();
    for line in headers.get_all(name) {
        match (line.to_str(), written_in) {
            (Err(_), _) => hops.push(None),
            (Ok(line), ForwardedHeader::XForwardedFor) => hops.extend(line.split(',').map(node)),
            (Ok(line), ForwardedHeader::Forwarded) => match outside_quotes(line, ',') {
                Some(elements) => hops.extend(elements.into_iter().map(forwarded_for)),
                None => hops.push(None),
            },
        }
    }
    hops
}

/// `for=192.0.2.60;proto=http`, in any order.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    outside_quotes(element, ';')?.into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if name.trim().eq_ignore_ascii_case("for") { node(bare) } else { None }
    })
}

/// The parts between separators that no quotation marks enclose: a host's name is the caller's to choose. `None` when a
/// mark is not closed.
fn outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if letter == separator && !is_quoted => {
                parts.push(&text[from..at]);
                from = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    (!is_quoted).then_some(parts)
}

/// An address, with or without a port, with or without the brackets of IPv6.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let ip: Option<IpAddr> = text.parse().ok().or_else(bare).or_else(with_port);
    ip.map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const PROXIES: &str = "10.0.0.0/8,2001:db8:ffff::/48";

    /// Whom we take a request for that comes from `peer` with these lines of a header.
    fn visitor(peer: &str, written_in: ForwardedHeader, lines: &[&str]) -> String {
        let trusted: Vec<Network> = PROXIES.split(',').map(|one| one.parse().expect(one)).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_str(line).expect("a header");
            headers.append(X_FORWARDED_FOR, value.clone());
            headers.append(header::FORWARDED, value);
        }
        let peer = peer.parse().expect("an address");
        furthest(peer, &trusted, || spoken_for(&headers, written_in)).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        for kind in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            for lines in [&["192.0.2.1"][..], &["for=192.0.2.1"], &["10.0.0.1"]] {
                assert_eq!(visitor("203.0.113.7", kind, lines), "203.0.113.7");
            }
        }
    }

    #[test]
    fn behind_proxies_the_first_who_is_none_is_whom_we_count() {
        let said = |lines: &[&str]| visitor("10.0.0.1", ForwardedHeader::XForwardedFor, lines);
        assert_eq!(said(&["203.0.113.7"]), "203.0.113.7");
        assert_eq!(
            said(&["192.0.2.99, 203.0.113.7, 10.9.9.9"]),
            "203.0.113.7",
            "what stands before is a tale"
        );
        assert_eq!(said(&["192.0.2.99", "203.0.113.7", "10.9.9.9"]), "203.0.113.7", "on lines of their own");
        assert_eq!(said(&["2001:db8:1::7"]), "2001:db8:1::7");
        assert_eq!(said(&["[2001:db8:1::7]:443, 10.0.0.2:80"]), "2001:db8:1::7");
        assert_eq!(said(&["203.0.113.7:5000"]), "203.0.113.7");
        assert_eq!(said(&["::ffff:203.0.113.7"]), "203.0.113.7");
        assert_eq!(said(&["10.1.1.1, 10.2.2.2"]), "10.1.1.1", "all of them are ours");
        assert_eq!(
            visitor("2001:db8:ffff::1", ForwardedHeader::XForwardedFor, &["203.0.113.7"]),
            "203.0.113.7"
        );
    }

    #[test]
    fn what_cannot_be_read_is_counted_as_the_proxy_that_said_it() {
        let said = |lines: &[&str]| visitor("10.0.0.1", ForwardedHeader::XForwardedFor, lines);
        for lines in [&[][..], &[""], &["unknown"], &["203.0.113.7, junk"], &["203.0.113.7,"]] {
            assert_eq!(said(lines), "10.0.0.1", "{lines:?}");
        }
        assert_eq!(said(&["junk, 10.2.2.2"]), "10.2.2.2");
    }

    #[test]
    fn the_standard_header_is_read_as_it_is_written() {
        let said = |lines: &[&str]| visitor("10.0.0.1", ForwardedHeader::Forwarded, lines);
        assert_eq!(said(&["for=203.0.113.7;proto=https;by=10.0.0.1"]), "203.0.113.7");
        assert_eq!(said(&["proto=https; For=\"[2001:db8:1::7]:4711\", for=10.3.3.3"]), "2001:db8:1::7");
        for hidden in ["for=_secret", "for=unknown", "proto=https", "for="] {
            assert_eq!(said(&[hidden]), "10.0.0.1", "{hidden}");
        }
    }

    #[test]
    fn what_a_caller_may_choose_is_no_address() {
        let said = |lines: &[&str]| visitor("10.0.0.1", ForwardedHeader::Forwarded, lines);
        let host = "for=203.0.113.7;host=\"x, for=192.0.2.66;y=z\"";
        assert_eq!(said(&[host]), "203.0.113.7");
        assert_eq!(said(&["for=203.0.113.7;host=\"x\\\", for=192.0.2.66\""]), "203.0.113.7");
        assert_eq!(said(&["for=\"192.0.2.66, for=203.0.113.7"]), "10.0.0.1", "a mark is left open");
        assert_eq!(said(&["for=\"192.0.2.66", "for=203.0.113.7"]), "203.0.113.7");
    }
}
