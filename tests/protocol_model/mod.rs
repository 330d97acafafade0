//! The protocol as a machine that can be looked at whole: every state that is within reach of some bounds, and every
//! step out of it.
//!
//! The stores are what `redis`, `postgres` and `state` say; `checkout`, `settle`, `picture` and `waiting` are the
//! calls that change them, step by step; `choices` is who may begin what; `promises` is what must hold. `search` knows
//! none of this and walks through all of it.

pub mod bounds;
mod checkout;
mod choices;
mod picture;
mod postgres;
mod promises;
mod redis;
pub mod search;
pub mod state;
pub mod step;
mod settle;
mod task;
mod waiting;

pub use choices::Protocol;
