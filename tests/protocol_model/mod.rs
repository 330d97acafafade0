//! The protocol as a machine that can be looked at whole: every state that is within reach of some bounds, and every
//! step out of it.
//!
//! The stores are what `redis`, `postgres` and `state` say; `checkout`, `settle`, `picture` and `waiting` are the calls
//! that change them, step by step; `people`, `workers` and `faults` say who may begin what, of which `choices` makes the
//! next states; `promises` is what must hold. `search` knows none of this and walks through all of it.

pub mod bounds;
mod checkout;
mod choices;
mod faults;
mod people;
mod picture;
mod postgres;
mod promises;
mod redis;
pub mod search;
mod settle;
pub mod state;
pub mod step;
mod task;
mod waiting;
mod workers;

pub use choices::Protocol;
