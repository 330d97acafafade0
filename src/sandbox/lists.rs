//! Stripe's lists: newest first, in pages that go on from an id.

use serde_json::{Value, json};

use super::failure::Failure;
use super::objects::{Charge, DeliveryState, Event, Intent, Refund};
use super::params::Params;
use super::shapes;
use super::world::{Shelf, World};

const PAGING: &[&str] = &["limit", "starting_after", "ending_before", "created"];

pub fn intents(world: &World, params: &Params) -> Result<Value, Failure> {
    params.only(PAGING)?;
    page(&world.intents, params, "/v1/payment_intents", |_| true, |it| shapes::intent(it, &world.base_url))
}

pub fn refunds(world: &World, params: &Params) -> Result<Value, Failure> {
    params.only(&[PAGING, &["payment_intent", "charge"]].concat())?;
    let wanted = |refund: &Refund| {
        params.get("payment_intent").is_none_or(|intent| refund.intent == intent)
            && params.get("charge").is_none_or(|charge| refund.charge == charge)
    };
    page(&world.refunds, params, "/v1/refunds", wanted, shapes::refund)
}

pub fn charges(world: &World, params: &Params) -> Result<Value, Failure> {
    params.only(&[PAGING, &["payment_intent"]].concat())?;
    let wanted = |charge: &Charge| params.get("payment_intent").is_none_or(|intent| charge.intent == intent);
    page(&world.charges, params, "/v1/charges", wanted, shapes::charge)
}

pub fn events(world: &World, params: &Params) -> Result<Value, Failure> {
    params.only(&[PAGING, &["type", "types"]].concat())?;
    let kinds = params.list("types");
    let wanted = |event: &Event| {
        params.get("type").is_none_or(|kind| event.kind == kind)
            && (kinds.is_empty() || kinds.contains(&event.kind))
    };
    page(&world.events, params, "/v1/events", wanted, |it| event(world, it))
}

pub fn event(world: &World, event: &Event) -> Value {
    let waits = world.deliveries.get(&event.id).is_some_and(|it| it.state == DeliveryState::Waiting);
    shapes::event(event, waits.into())
}

/// A thing that lists can page through.
trait Listed {
    const WHAT: &'static str;
    fn id(&self) -> &str;
    fn created(&self) -> i64;
}

macro_rules! listed {
    ($($type:ty, $what:literal;)*) => {$(
        impl Listed for $type {
            const WHAT: &'static str = $what;
            fn id(&self) -> &str {
                &self.id
            }
            fn created(&self) -> i64 {
                self.created
            }
        }
    )*};
}

listed! {
    Intent, "payment_intent";
    Charge, "charge";
    Refund, "refund";
    Event, "event";
}

fn page<T: Listed>(
    shelf: &Shelf<T>,
    params: &Params,
    url: &str,
    wanted: impl Fn(&T) -> bool,
    shape: impl Fn(&T) -> Value,
) -> Result<Value, Failure> {
    let limit = match params.int("limit")?.unwrap_or(10) {
        limit @ 1..=100 => usize::try_from(limit).unwrap_or(100),
        _ => return Err(Failure::bad_parameter("limit", "limit must be between 1 and 100")),
    };
    let place = |name: &str| match params.text(name) {
        None => Ok(None),
        Some(id) => shelf.place(&id).map(Some).ok_or_else(|| Failure::no_such(T::WHAT, &id, name)),
    };
    let (after, before) = (place("starting_after")?, place("ending_before")?);
    let created = Created::in_params(params)?;

    // Newest first: going on "after" an id means to what was made before it.
    let newest_first = shelf.iter().rev().filter(|it| {
        let at = shelf.place(it.id());
        after.is_none_or(|after| at < Some(after))
            && before.is_none_or(|before| at > Some(before))
            && created.holds(it.created())
            && wanted(it)
    });
    let mut found: Vec<&T> = newest_first.collect();
    let has_more = found.len() > limit;
    if before.is_some() {
        // The page that ends right before an id, not the newest page of all.
        found.drain(..found.len().saturating_sub(limit));
    }
    found.truncate(limit);
    let data: Vec<Value> = found.into_iter().map(shape).collect();
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}

/// Bounds on when things were made, in Unix seconds.
struct Created {
    from: i64,
    to: i64,
}

impl Created {
    fn in_params(params: &Params) -> Result<Self, Failure> {
        let exact = params.int("created")?;
        let above = params.int("created[gt]")?.map(|at| at.saturating_add(1));
        let below = params.int("created[lt]")?.map(|at| at.saturating_sub(1));
        let from = [exact, above, params.int("created[gte]")?].into_iter().flatten().max();
        let to = [exact, below, params.int("created[lte]")?].into_iter().flatten().min();
        Ok(Self { from: from.unwrap_or(i64::MIN), to: to.unwrap_or(i64::MAX) })
    }

    fn holds(&self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}
