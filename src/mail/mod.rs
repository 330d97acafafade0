//! Mail: what customers are told, once for each cause.
//!
//! **A letter is owed in the transaction of the decision that it tells of, and sent afterwards.** A row names its
//! cause; what it says is read when it goes, so that no letter tells what has become untrue meanwhile. Sending never
//! holds a sale up: a server that is away makes letters late and nothing else.
//!
//! This module owes, keeps, words and sends. It knows nothing of how orders come to be; `workers::mailer` puts the two
//! together.

mod envelope;
mod html;
mod news;
mod occasion;
mod postman;
mod queue;
mod sheet;
#[doc(hidden)]
pub mod untrusted;
mod words;

pub use self::envelope::{Attachment, Envelope, can_be_written_to};
pub use self::news::{Booking, News, Offered, Place, Returned, Shop};
pub use self::occasion::{Occasion, Offer, offer_told, owe};
pub use self::postman::{BadAddress, Postman, Undelivered};
pub use self::queue::{Due, count, park, postpone, sent, skip, skip_all, take, wait_for_the_server};
pub use self::sheet::Sheet;
pub use self::words::{place, sheet_for};
