//! Tickets as people carry them: a signed code that a door can check alone, its squares, paper and calendars.
//!
//! This module knows no store: it is handed what a ticket says. Whether a ticket is good at this moment is asked of
//! [`crate::orders`].

mod calendar;
mod code;
mod keys;
mod latin;
mod letters;
mod pdf;
mod qr;

pub use self::calendar::{Entry, file as calendar};
pub use self::code::{Claim, KeyId, to_be_typed};
pub use self::keys::{BadKey, PublicKey, TicketKeys};
pub use self::letters::tidy;
pub use self::pdf::{Print, pages as pdf};
pub use self::qr::Qr;
