//! What puts somebody's words into a letter, as tests reach it from outside of this crate. Nothing of the service calls
//! this.

use lettre::message::Mailbox;

use super::{Envelope, Sheet};

/// The source of a letter to this name at this address, with this subject and these words; why there is none otherwise.
pub fn source(name: &str, address: &str, subject: &str, lead: &str) -> Result<Vec<u8>, String> {
    let from: Mailbox = "Holdfast <tickets@holdfast.example>".parse().expect("an address");
    let sheet =
        Sheet { subject: super::sheet::one_line(subject), lead: vec![lead.to_owned()], ..Sheet::default() };
    let envelope = Envelope {
        id: uuid::Uuid::nil(),
        name: name.to_owned(),
        address: address.to_owned(),
        sheet,
        files: Vec::new(),
    };
    envelope.message(&from).map(|message| message.formatted())
}
