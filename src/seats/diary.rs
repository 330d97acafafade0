//! The diary of an event: notes that the scripts write in the step that they are about, for other systems to be told.
//!
//! Whoever collects it stores what it says first, and forgets the notes afterwards: so none is lost.

use redis::{Value, from_redis_value_ref};

use super::feed::FeedId;
use super::keys::Keys;
use super::{Engine, SeatsError};
use crate::ids::{AccountId, EventId, HoldId, Ordinal};

/// What a note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Seats are held.
    Created,
    /// A hold's time ran out.
    Expired,
    /// A hold was given back.
    Released,
    /// This hold took the last free seat.
    Full,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub id: FeedId,
    pub kind: NoteKind,
    pub hold: HoldId,
    pub owner: AccountId,
    pub ordinals: Vec<Ordinal>,
    /// When the hold ends, of one that begins.
    pub deadline_ms: Option<i64>,
}

/// The oldest notes of a diary.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    pub notes: Vec<Note>,
    /// The last of what was read, also when nobody understands it.
    pub last: Option<FeedId>,
}

impl Engine {
    /// The oldest notes, at most so many.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn diary(&self, event: EventId, most: usize) -> Result<Notes, SeatsError> {
        let mut range = redis::cmd("XRANGE");
        range.arg(Keys::of(event).diary()).arg("-").arg("+").arg("COUNT").arg(most);
        Ok(read(&self.redis.read(&range).await?))
    }

    /// Forgets every note up to this one, which was stored elsewhere.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn forget_notes(&self, event: EventId, last: FeedId) -> Result<(), SeatsError> {
        let next = FeedId { ms: last.ms, number: last.number.saturating_add(1) };
        let mut trim = redis::cmd("XTRIM");
        trim.arg(Keys::of(event).diary()).arg("MINID").arg("=").arg(next.to_string());
        let _: u64 = self.redis.read(&trim).await?;
        Ok(())
    }

    /// Whether a diary is kept; `None` where the event has no picture.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn keeps_diary(&self, event: EventId) -> Result<Option<bool>, SeatsError> {
        let mut command = redis::cmd("HMGET");
        command.arg(Keys::of(event).meta()).arg("epoch").arg("hooks");
        let (epoch, hooks): (Option<String>, Option<String>) = self.redis.read(&command).await?;
        Ok(epoch.map(|_| hooks.as_deref() == Some("1")))
    }

    /// From here on a diary is kept, or none.
    ///
    /// # Errors
    /// [`SeatsError::NotReady`] when the event has no picture; its rebuild brings the rule.
    pub async fn keep_diary(&self, event: EventId, keep: bool) -> Result<(), SeatsError> {
        let mut call = self.scripts.configure.on(event);
        call.arg("hooks").arg(u8::from(keep));
        let reply = self.run(call).await?;
        if reply.code() == "configured" { Ok(()) } else { Err(reply.strange()) }
    }
}

/// What `XRANGE` answered. What is no note of ours is left out, and forgotten with the others.
fn read(answer: &Value) -> Notes {
    let Value::Array(rows) = answer else { return Notes::default() };
    let mut found = Notes::default();
    for row in rows {
        let Value::Array(parts) = row else { continue };
        let Some(id) = parts.first().and_then(id_of) else { continue };
        found.last = Some(id);
        let fields: Vec<String> =
            parts.get(1).and_then(|fields| from_redis_value_ref(fields).ok()).unwrap_or_default();
        if let Some(note) = note(id, &fields) {
            found.notes.push(note);
        } else {
            tracing::warn!(note = %id, "a note that nobody understands is left out");
        }
    }
    found
}

fn id_of(value: &Value) -> Option<FeedId> {
    from_redis_value_ref::<String>(value).ok()?.parse().ok()
}

fn note(id: FeedId, fields: &[String]) -> Option<Note> {
    let value = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let kind = match value("what")? {
        "created" => NoteKind::Created,
        "expired" => NoteKind::Expired,
        "released" => NoteKind::Released,
        "full" => NoteKind::Full,
        _ => return None,
    };
    Some(Note {
        id,
        kind,
        hold: value("hold")?.parse().ok()?,
        owner: value("owner")?.parse().ok()?,
        ordinals: value("ordinals")?.split(',').filter_map(|text| text.parse().ok()).collect(),
        deadline_ms: value("deadline").and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn row(id: &str, fields: &[&str]) -> Value {
        Value::Array(vec![text(id), Value::Array(fields.iter().map(|field| text(field)).collect())])
    }

    #[test]
    fn notes_are_read_in_order_and_what_is_none_is_left_behind() {
        let (hold, owner) = (HoldId::new(), AccountId::new());
        let (hold_text, owner_text) = (hold.to_string(), owner.to_string());
        let whose = ["hold", hold_text.as_str(), "owner", owner_text.as_str()];
        let answer = Value::Array(vec![
            row("5-0", &[&["what", "created", "ordinals", "3,4", "deadline", "900"][..], &whose].concat()),
            row("5-1", &[&["what", "released", "ordinals", "3,4", "deadline", ""][..], &whose].concat()),
            row("6-0", &["what", "danced"]),
            Value::Nil,
        ]);
        let found = read(&answer);
        assert_eq!(found.last, Some(FeedId { ms: 6, number: 0 }));
        let kinds: Vec<_> = found.notes.iter().map(|note| (note.kind, note.deadline_ms)).collect();
        assert_eq!(kinds, [(NoteKind::Created, Some(900)), (NoteKind::Released, None)]);
        assert_eq!((found.notes[0].hold, &found.notes[0].ordinals[..]), (hold, &[3, 4][..]));
        assert_eq!(read(&Value::Nil).last, None);
    }
}
