//! What a script answered: `{code, feed id or '', detail…}`, read without trust.

use std::str::FromStr;

use redis::{Value, from_redis_value_ref};

use super::errors::{Reason, SeatsError};
use super::feed::FeedId;
use crate::ids::Ordinal;

/// An answer of the shape that all scripts share.
pub(super) struct Reply {
    script: &'static str,
    code: String,
    feed: Option<FeedId>,
    detail: Vec<Value>,
}

impl Reply {
    pub fn read(script: &'static str, answer: Value) -> Result<Self, SeatsError> {
        let strange = |what: &Value| SeatsError::UnknownReply(script, format!("{what:?}"));
        let Value::Array(mut parts) = answer else { return Err(strange(&answer)) };
        if parts.len() < 2 {
            return Err(strange(&Value::Array(parts)));
        }
        let detail = parts.split_off(2);
        let code = from_redis_value_ref(&parts[0]).map_err(|_| strange(&parts[0]))?;
        let feed: String = from_redis_value_ref(&parts[1]).map_err(|_| strange(&parts[1]))?;
        let feed = match feed.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| strange(&parts[1]))?),
        };
        Ok(Self { script, code, feed, detail })
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    /// The last change that this call made.
    pub fn feed(&self) -> Option<FeedId> {
        self.feed
    }

    /// A code that the script's header does not name, or details that do not fit it.
    pub fn strange(&self) -> SeatsError {
        SeatsError::UnknownReply(self.script, format!("{} {:?}", self.code, self.detail))
    }

    /// Another answer, which begins at this detail: one that was remembered.
    pub fn quoted(&self, from: usize) -> Result<Self, SeatsError> {
        let detail = self.detail.get(from + 2..).ok_or_else(|| self.strange())?.to_vec();
        Ok(Self { script: self.script, code: self.text(from)?, feed: None, detail })
    }

    pub fn text(&self, at: usize) -> Result<String, SeatsError> {
        let value = self.detail.get(at).ok_or_else(|| self.strange())?;
        from_redis_value_ref(value).map_err(|_| self.strange())
    }

    pub fn bytes(&self, at: usize) -> Result<Vec<u8>, SeatsError> {
        match self.detail.get(at) {
            Some(Value::BulkString(bytes)) => Ok(bytes.clone()),
            _ => Err(self.strange()),
        }
    }

    /// A number or an id.
    pub fn parse<T: FromStr>(&self, at: usize) -> Result<T, SeatsError> {
        self.text(at)?.parse().map_err(|_| self.strange())
    }

    /// The same, where an empty text means none.
    pub fn maybe<T: FromStr>(&self, at: usize) -> Result<Option<T>, SeatsError> {
        match self.text(at)?.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.strange()),
        }
    }

    /// Values between commas.
    pub fn list<T: FromStr>(&self, at: usize) -> Result<Vec<T>, SeatsError> {
        let text = self.text(at)?;
        let values = text.split(',').filter(|part| !part.is_empty()).map(str::parse);
        values.collect::<Result<_, _>>().map_err(|_| self.strange())
    }

    /// All details, as ordinals.
    pub fn ordinals(&self) -> Result<Vec<Ordinal>, SeatsError> {
        (0..self.detail.len()).map(|at| self.parse(at)).collect()
    }

    /// All details, as pairs of a seat and why it cannot be had.
    pub fn reasons(&self) -> Result<Vec<(Ordinal, Reason)>, SeatsError> {
        let pairs = (0..self.detail.len()).step_by(2);
        pairs
            .map(|at| {
                let reason = Reason::read(&self.text(at + 1)?).ok_or_else(|| self.strange())?;
                Ok((self.parse(at)?, reason))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_reply_is_a_code_a_feed_id_and_details() {
        let answer = Value::Array(vec![text("held"), text("17-2"), text("4,5"), Value::Int(9)]);
        let reply = Reply::read("hold", answer).unwrap();
        assert_eq!(reply.code(), "held");
        assert_eq!(reply.feed(), Some("17-2".parse().unwrap()));
        assert_eq!(reply.list::<u32>(0).unwrap(), [4, 5]);
        assert_eq!(reply.parse::<i64>(1).unwrap(), 9);
        assert!(reply.text(2).is_err());
    }

    #[test]
    fn what_no_script_says_is_an_error() {
        for answer in
            [Value::Nil, Value::Array(vec![text("held")]), Value::Array(vec![text("held"), text("x")])]
        {
            assert!(matches!(Reply::read("hold", answer), Err(SeatsError::UnknownReply("hold", _))));
        }
    }
}
