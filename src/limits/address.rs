//! Where a call comes from, as far as it is counted.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Whoever has one address of IPv6 has all of its /64.
const OWN: u8 = 64;

/// An address of IPv4, or a network of IPv6 that is one customer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl Address {
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Self(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask(OWN, 128)))),
            ip @ IpAddr::V4(_) => Self(ip),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                (u128::from(own.to_bits() ^ ip.to_bits()) & mask(self.prefix, 32)) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                ((own.to_bits() ^ ip.to_bits()) & mask(self.prefix, 128)) == 0
            }
            _ => false,
        }
    }
}

/// The leading `prefix` of so many bits.
fn mask(prefix: u8, bits: u8) -> u128 {
    let rest = u32::from(bits - prefix);
    u128::MAX.checked_shl(rest).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let refused = || format!("{text} is no network: write 10.0.0.0/8, 2001:db8::/32 or one address");
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip = ip.parse::<IpAddr>().map_err(|_| refused())?;
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.map_or(Ok(whole), str::parse).map_err(|_| refused())?;
        if prefix <= whole { Ok(Self { ip, prefix }) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn a_customer_of_ipv6_has_one_address_however_many_there_are() {
        let same = |one, other| Address::of(ip(one)) == Address::of(ip(other));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:203.0.113.7", "203.0.113.7"), "IPv4 in the clothes of IPv6");
        assert!(!same("203.0.113.7", "203.0.113.8"));
    }

    #[test]
    fn a_network_contains_what_begins_like_it() {
        let contains = |network: &str, one| network.parse::<Network>().expect(network).contains(ip(one));
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("192.0.2.1", "192.0.2.1") && !contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("0.0.0.0/0", "203.0.113.7") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0/8", "10.0.0.0/"] {
            assert!(bad.parse::<Network>().is_err_and(|why| why.contains("is no network")), "{bad}");
        }
    }
}
