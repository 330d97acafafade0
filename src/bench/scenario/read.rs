//! One address, again and again: what a page, a cache or a probe asks for.

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, HeaderValue};

use super::hold::outcome;
use crate::bench::load::{Caller, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::{Origin, Wire};

#[derive(Debug, Clone, Args)]
pub struct Read {
    /// http://…, with its path.
    address: String,
    #[arg(long)]
    accept: Option<String>,
    #[arg(long)]
    accept_encoding: Option<String>,
}

struct Reads {
    wire: Wire,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Caller for Reads {
    async fn call(&mut self, _: u64, _: &mut Tally) -> String {
        outcome(self.wire.ask(Method::GET, &self.path, &self.headers, Bytes::new()).await)
    }
}

pub async fn run(load: &Load, read: &Read) -> anyhow::Result<Figures> {
    let origin = Origin::of(&read.address)?;
    let (_, rest) = read.address.split_once("://").unwrap_or_default();
    let path = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
    let mut headers = Vec::new();
    for (name, value) in [(ACCEPT, &read.accept), (ACCEPT_ENCODING, &read.accept_encoding)] {
        if let Some(value) = value {
            headers.push((name, HeaderValue::from_str(value)?));
        }
    }
    let reader = || Reads { wire: Wire::to(&origin), path: path.clone(), headers: headers.clone() };
    let (tally, took) = load.run((0..load.connections).map(|_| reader()).collect()).await;
    Ok(Figures::of("read", load, &tally, took))
}
