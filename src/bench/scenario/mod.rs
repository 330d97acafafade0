//! What can be asked of a house.

pub mod best;
pub mod hold;
pub mod journey;
pub mod map;
pub mod rush;
pub mod watch;
