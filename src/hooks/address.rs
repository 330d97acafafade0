//! Where webhooks may go. An endpoint is named by whoever may add one, and called from inside our network: so an address
//! that only we can reach is refused, unless the operator allows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A network that is allowed although it is private: `10.1.0.0/16`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("{text} is no network: write 10.1.0.0/16 or fd00::/8");
        let text = text.trim();
        let (base, bits) = text.split_once('/').unzip();
        let base: IpAddr = base.unwrap_or(text).parse().map_err(|_| refused())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| refused())?;
        if bits <= most { Ok(Self { base, bits }) } else { Err(refused()) }
    }
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// What the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    pub networks: Vec<Network>,
    /// Any address, and without TLS.
    pub private: bool,
}

impl Allowed {
    pub fn address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.private || is_public(address) || self.networks.iter().any(|network| network.holds(address))
    }

    /// What is wrong with an endpoint's address, as far as the address itself says.
    pub fn fault(&self, url: &Url) -> Option<&'static str> {
        match url.scheme() {
            "https" => {}
            "http" if self.private => {}
            "http" => return Some("must begin with https://"),
            _ => return Some("must be an http(s) address"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Some("must not hold a user or a password");
        }
        if url.fragment().is_some() {
            return Some("must not have a fragment");
        }
        match literal(url) {
            Some(address) if !self.address(address) => Some(REFUSED),
            _ => None,
        }
    }
}

/// What is said of an address that only we could reach.
pub const REFUSED: &str = "leads to an address that is not allowed";

/// The address in an URL that names no host: no resolver is ever asked about it.
pub fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Whether anybody on the internet could reach it.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local() // also where clouds keep their secrets
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b)) // behind carriers' translation
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // relays to IPv6
        || (a == 198 && (b == 18 || b == 19)) // benchmarks
        || [a, b, c, d] == [168, 63, 129, 16] // looks public, and is where one cloud keeps its machines' secrets
        || a >= 224; // multicast, reserved, broadcast
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only what is handed out for the internet at large; the rest is ours, the link's, or not in use.
    let is_global = (0x2000..0x4000).contains(&a);
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) // tunnels, documentation
        || a == 0x2002 // carries any IPv4 address inside
        || (a == 0x3fff && b < 0x1000); // documentation
    is_global && !special
}

/// A name led somewhere that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{REFUSED}")]
pub struct NotAllowed;

/// Resolves names and lets nothing through that is not allowed. The connection is made to exactly the addresses that were
/// looked at: a name that leads elsewhere a moment later gains nothing.
#[derive(Clone)]
pub struct Guard {
    allowed: Arc<Allowed>,
    names: Arc<dyn Resolve>,
}

impl Guard {
    pub fn new(allowed: Arc<Allowed>, names: Arc<dyn Resolve>) -> Self {
        Self { allowed, names }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, found) = (Arc::clone(&self.allowed), self.names.resolve(name));
        Box::pin(async move {
            let found: Vec<_> = found.await?.collect();
            // One bad address among good ones is a trap, not an oversight.
            if found.iter().all(|address| allowed.address(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(NotAllowed.into())
            }
        })
    }
}

/// The names that this machine knows.
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &Allowed, text: &str) -> bool {
        allowed.address(text.parse().expect("an address"))
    }

    #[test]
    fn what_only_we_can_reach_is_refused() {
        let strict = Allowed::default();
        for address in [
            "127.0.0.1",
            "127.8.9.1",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!allows(&strict, address), "{address}");
        }
        for address in ["1.1.1.1", "100.63.0.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"] {
            assert!(allows(&strict, address), "{address}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_allowed_and_no_more() {
        let networks = ["10.1.0.0/16", "192.168.7.7", "fd00:1::/32"].map(|text| text.parse().expect("one"));
        let some = Allowed { networks: networks.to_vec(), private: false };
        for address in ["10.1.2.3", "192.168.7.7", "fd00:1::5", "::ffff:10.1.2.3"] {
            assert!(allows(&some, address), "{address}");
        }
        for address in ["10.2.0.1", "192.168.7.8", "fd00:2::5", "127.0.0.1"] {
            assert!(!allows(&some, address), "{address}");
        }
        assert!(allows(&Allowed { private: true, ..Allowed::default() }, "127.0.0.1"));
        let all = Allowed { networks: vec!["0.0.0.0/0".parse().expect("one")], private: false };
        assert!(allows(&all, "127.0.0.1") && !allows(&all, "::1"));
        for bad in ["10.0.0.0/33", "::/129", "ten", "10.0.0.0/x", ""] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_an_https_address_and_nothing_else() {
        let strict = Allowed::default();
        let fault = |text: &str| strict.fault(&Url::parse(text).expect("an address"));
        for good in ["https://tickets.example/hooks?a=b", "https://tickets.example:8443/", "https://1.1.1.1/"]
        {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "http://tickets.example/",
            "ftp://tickets.example/",
            "https://user@tickets.example/",
            "https://:secret@tickets.example/",
            "https://tickets.example/#part",
            // Every way to write an address of this machine.
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://0x7f000001/",
            "https://017700000001/",
            "https://127.0.1/",
            "https://127.0.0.1./",
            "https://127.0.0.1:8443/",
            "https://%31%32%37.0.0.1/",
            "https://①②⑦.⓪.⓪.①/",
            "https://127。0。0。1/",
            "https://0/",
            "https://[::]/",
            "https://[::7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
