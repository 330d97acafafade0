//! Addresses of endpoints: none that only we could reach is taken, however it is written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use holdfast::hooks::Network;
use holdfast::hooks::untrusted::{fault, literal_of, may_lead_to};
use reqwest::Url;

pub fn body(input: &[u8]) {
    if let Some((bytes, _)) = input.split_first_chunk::<16>() {
        leads_out(*bytes);
        // A fuzzer rarely finds the few networks that matter by itself.
        for [a, b] in [[10, bytes[0]], [127, 0], [169, 254], [172, 16], [192, 168], [100, 64], [0, 0]] {
            let mut near = *bytes;
            (near[12], near[13]) = (a, b);
            leads_out(near);
        }
    }
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(network) = text.parse::<Network>() {
        let base = text.trim().split('/').next().unwrap_or_default();
        let base: IpAddr = base.parse().expect("a network begins with an address");
        let is_itself = base.to_canonical() == base;
        assert!(!is_itself || may_lead_to(base, &[network]), "{text} does not hold its own address");
    }
    let Ok(url) = Url::parse(text) else { return };
    let is_address = url.host_str().is_some() && url.domain().is_none();
    if url.scheme() == "https" {
        assert_eq!(
            literal_of(&url).is_some(),
            is_address,
            "{url}: a name for one of us, an address for another"
        );
    }
    if fault(&url, &[]).is_none() {
        assert_eq!(url.scheme(), "https");
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
        if let Some(address) = literal_of(&url) {
            assert!(is_out_there(address), "{url} leads to us");
        }
        assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url), "stored, it is another address");
    }
}

/// One address of IPv6, and one of IPv4 in every dress that it has in IPv6.
fn leads_out(bytes: [u8; 16]) {
    let wide = Ipv6Addr::from(bytes);
    let [.., a, b, c, d] = bytes;
    let narrow = Ipv4Addr::new(a, b, c, d);
    let high = u16::from_be_bytes([a, b]);
    let low = u16::from_be_bytes([c, d]);
    let dresses = [
        narrow.to_ipv6_mapped(),
        narrow.to_ipv6_compatible(),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
    ];
    for address in dresses.into_iter().chain([wide]).map(IpAddr::V6).chain([IpAddr::V4(narrow)]) {
        assert!(!may_lead_to(address, &[]) || is_out_there(address), "{address} is ours");
    }
    assert_eq!(
        may_lead_to(narrow.into(), &[]),
        may_lead_to(narrow.to_ipv6_mapped().into(), &[]),
        "{narrow} in another dress"
    );
}

/// What the registries of special addresses say, written down once more and in another way than the service has it.
fn is_out_there(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            const SPECIAL: [(u32, u32); 15] = [
                (0x0000_0000, 8),
                (0x0a00_0000, 8),
                (0x6440_0000, 10),
                (0x7f00_0000, 8),
                (0xa9fe_0000, 16),
                (0xac10_0000, 12),
                (0xc000_0000, 24),
                (0xc000_0200, 24),
                (0xc058_6300, 24),
                (0xc0a8_0000, 16),
                (0xc612_0000, 15),
                (0xc633_6400, 24),
                (0xcb00_7100, 24),
                (0xe000_0000, 4),
                (0xf000_0000, 4),
            ];
            SPECIAL.iter().all(|(base, bits)| address.to_bits() >> (32 - bits) != base >> (32 - bits))
        }
        IpAddr::V6(address) => {
            const SPECIAL: [(u128, u32); 4] = [
                (0x2001_0000 << 96, 23),
                (0x2001_0db8 << 96, 32),
                (0x2002_0000 << 96, 16),
                (0x3fff_0000 << 96, 20),
            ];
            address.to_bits() >> 125 == 1
                && SPECIAL
                    .iter()
                    .all(|(base, bits)| address.to_bits() >> (128 - bits) != base >> (128 - bits))
        }
    }
}
