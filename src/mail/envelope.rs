//! A sheet as a message: its headers, its two forms and what is attached.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, Mailbox, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;

use crate::mail::sheet::{Sheet, addressed};

/// A file that goes with a letter.
#[derive(Debug, Clone)]
pub struct Attachment {
    pub name: String,
    pub kind: &'static str,
    pub content: Vec<u8>,
}

/// A letter that is ready to be addressed.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The letter's own: whoever gets it twice can tell.
    pub id: Uuid,
    pub name: String,
    pub address: String,
    pub sheet: Sheet,
    pub files: Vec<Attachment>,
}

/// Whether a letter can be addressed there, as far as an address itself can tell: it is tried.
#[must_use]
pub fn can_be_written_to(address: &str) -> bool {
    let Ok(address) = address.parse::<Address>() else { return false };
    let to = Mailbox::new(None, address);
    Message::builder().from(to.clone()).to(to).body(String::new()).is_ok()
}

impl Envelope {
    /// The message as it goes to the server; says why when it cannot be one.
    pub(super) fn message(&self, from: &Mailbox) -> Result<Message, String> {
        let address =
            self.address.parse().map_err(|fault| format!("the address cannot be written to: {fault}"))?;
        // Whatever somebody calls themselves stands in a header as one line, or not at all.
        let to = Mailbox::new(addressed(&self.name), address);
        let text = MultiPart::alternative_plain_html(self.sheet.plain(), self.sheet.html());
        let body = if self.files.is_empty() { text } else { self.with_files(text)? };
        Message::builder()
            .from(from.clone())
            .to(to)
            .subject(self.sheet.subject.as_str())
            .date_now()
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())))
            // So that holiday notes are not answered to us.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(body)
            .map_err(|fault| format!("the message cannot be made: {fault}"))
    }

    fn with_files(&self, text: MultiPart) -> Result<MultiPart, String> {
        let mut body = MultiPart::mixed().multipart(text);
        for file in &self.files {
            let kind = ContentType::parse(file.kind).map_err(|fault| format!("{}: {fault}", file.name))?;
            body = body.singlepart(Attached::new(file.name.clone()).body(file.content.clone(), kind));
        }
        Ok(body)
    }
}
