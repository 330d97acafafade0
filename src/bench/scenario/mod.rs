//! What can be asked of a house.

pub mod best;
pub mod hold;
pub mod journey;
pub mod landing;
pub mod map;
pub mod order;
pub mod read;
pub mod rush;
pub mod watch;
