//! What reads the address of an endpoint, as tests reach it from outside of this crate. Nothing of the service calls this.

use std::net::IpAddr;

use reqwest::Url;

use super::address::{Allowed, Network, literal};

/// What is wrong with an address, as far as it says itself; `networks` are allowed although they are private.
#[must_use]
pub fn fault(url: &Url, networks: &[Network]) -> Option<&'static str> {
    allowed(networks).fault(url)
}

/// Whether a name may lead there.
#[must_use]
pub fn may_lead_to(address: IpAddr, networks: &[Network]) -> bool {
    allowed(networks).address(address)
}

/// The address in an URL that names no host.
#[must_use]
pub fn literal_of(url: &Url) -> Option<IpAddr> {
    literal(url)
}

fn allowed(networks: &[Network]) -> Allowed {
    Allowed { networks: networks.to_vec(), private: false }
}
