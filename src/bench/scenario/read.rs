//! One address, again and again, or some in turn: what a page, a cache or a probe asks for.

use std::sync::Arc;

use anyhow::bail;
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, HeaderValue};

use super::hold::outcome;
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::{Origin, Wire};

#[derive(Debug, Clone, Args)]
pub struct Read {
    /// http://…, with its path. Of several, which are one house's, each is asked in turn.
    #[arg(required = true)]
    addresses: Vec<String>,
    #[arg(long)]
    accept: Option<String>,
    #[arg(long)]
    accept_encoding: Option<String>,
}

struct Reads {
    wire: Wire,
    paths: Arc<[String]>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Caller for Reads {
    async fn call(&mut self, due: Due, _: &mut Tally) -> String {
        let path = &self.paths[usize::try_from(due.number % self.paths.len() as u64).unwrap_or(0)];
        outcome(self.wire.ask(Method::GET, path, &self.headers, Bytes::new()).await)
    }
}

pub async fn run(load: &Load, read: &Read) -> anyhow::Result<Figures> {
    let Some(first) = read.addresses.first() else { bail!("there is no address") };
    let origin = Origin::of(first)?;
    let (house, _) = split(first);
    let mut paths = Vec::new();
    for address in &read.addresses {
        let (other, path) = split(address);
        if other != house {
            bail!("{address} is not at {house}");
        }
        paths.push(path.to_owned());
    }
    let paths: Arc<[String]> = paths.into();
    let mut headers = Vec::new();
    for (name, value) in [(ACCEPT, &read.accept), (ACCEPT_ENCODING, &read.accept_encoding)] {
        if let Some(value) = value {
            headers.push((name, HeaderValue::from_str(value)?));
        }
    }
    let reader = || Reads { wire: Wire::to(&origin), paths: Arc::clone(&paths), headers: headers.clone() };
    let (tally, took) = load.run((0..load.connections).map(|_| reader()).collect()).await;
    Ok(Figures::of("read", load, &tally, took))
}

/// The house, and the path there.
fn split(address: &str) -> (&str, &str) {
    let house = address.find("://").map_or(0, |at| at + 3);
    address[house..].find('/').map_or((address, "/"), |at| address.split_at(house + at))
}
