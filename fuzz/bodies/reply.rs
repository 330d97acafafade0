//! Answers of scripts: read as they were written, or an error; never a default.

use holdfast::ids::Ordinal;
use holdfast::seats::FeedId;
use holdfast::seats::untrusted::Said;
use redis::Value;

pub fn body(input: &[u8]) {
    if let Ok(answer) = redis::parse_redis_value(input) {
        let parts = match &answer {
            Value::Array(parts) => parts.len(),
            _ => 0,
        };
        if let Ok(said) = Said::read(answer) {
            assert!(parts >= 2, "an answer without a code and an id was read");
            said.is_read_whole(parts);
            if let Ok(ordinals) = said.ordinals() {
                assert_eq!(ordinals.len(), parts - 2, "details were left out");
            }
        }
    }
    let Some((head, rest)) = input.split_first_chunk::<10>() else { return };
    let text = |text: String| Value::BulkString(text.into_bytes());
    let feed = FeedId {
        ms: u64::from_le_bytes([head[0], head[1], head[2], head[3], head[4], head[5], 0, 0]),
        number: head[6].into(),
    };
    let feed = (head[7] & 1 == 0).then_some(feed);
    let ordinals: Vec<Ordinal> =
        rest.chunks_exact(3).map(|bytes| u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])).collect();
    let mut answer = vec![text("held".to_owned()), text(feed.map(|id| id.to_string()).unwrap_or_default())];
    answer.extend(ordinals.iter().map(|&ordinal| Value::Int(ordinal.into())));
    let said = Said::read(Value::Array(answer.clone())).expect("as a script answers");
    assert_eq!((said.code(), said.feed()), ("held", feed));
    assert_eq!(said.ordinals().expect("ordinals"), ordinals);

    answer.truncate(2);
    let list: Vec<_> = ordinals.iter().map(ToString::to_string).collect();
    answer.extend([text(list.join(",")), text(String::new()), Value::Int(i64::from(head[8]) - 128)]);
    let said = Said::read(Value::Array(answer)).expect("as a script answers");
    assert_eq!(said.list(0).expect("a list"), ordinals);
    assert_eq!(said.maybe(1).expect("nothing"), None);
    assert_eq!(said.maybe(2).expect("a number"), Some(i64::from(head[8]) - 128));
    assert!(said.maybe(3).is_err(), "what is not there was read");
}
