//! No step without a name: each write of orders, the waiting list and deliveries to Postgres, Redis, Stripe or another
//! system is a step of the matrix, or stands here with the reason why a node may die at it all the same.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast::proof::Step;

/// Where the protocol between the stores is written down. Scripts with a step of their own have it in `src/seats`.
const PLACES: [&str; 4] = ["orders", "waitlist", "hooks/deliver.rs", "hooks/collect.rs"];

/// What asks and changes nothing.
const QUESTIONS: [&str; 18] = [
    "seats.diary",
    "seats.epoch",
    "seats.epochs",
    "seats.flags",
    "seats.has_holes",
    "seats.has_rules",
    "seats.hold_of",
    "seats.keeps_diary",
    "seats.keeps_for_the_list",
    "seats.news",
    "seats.snapshot",
    "seats.witness",
    "payments.intent",
    "payments.recent_intents",
    "payments.recent_refunds",
    "payments.refund_by_id",
    "payments.refund_made",
    "payments.refunds_of",
];

enum Why {
    /// It is a step, whose name does not stand around the call itself.
    Is(Step),
    /// A node may die before it or after it, because of this.
    Harmless(&'static str),
}

/// File, call, how often there, why.
const NAMELESS: [(&str, &str, usize, Why); 47] = {
    use Why::{Harmless, Is};
    [
        (
            "hooks/collect.rs",
            "seats.forget_notes",
            1,
            Harmless("what is in the log is not taken twice, and forgotten by the next pass"),
        ),
        ("hooks/collect.rs", "seats.keep_diary", 1, Harmless("the next pass asks for it again")),
        ("hooks/deliver.rs", "commit", 1, Is(Step::RecordTold)),
        ("hooks/deliver.rs", "execute", 1, Is(Step::RecordTold)),
        ("hooks/deliver.rs", "fetch", 3, Is(Step::RecordTold)), // and who is silenced, and a lease, which ends by itself
        ("orders/attend.rs", "execute", 1, Harmless("only says when to look next")),
        ("orders/attend.rs", "fetch", 2, Harmless("only says when to look next")),
        (
            "orders/captures.rs",
            "execute",
            3,
            Harmless("where a walk stands: what was walked is walked again"),
        ),
        (
            "orders/captures.rs",
            "fetch",
            1,
            Harmless("whose turn it is to walk: the next period it is anybody's"),
        ),
        (
            "orders/checkout.rs",
            "seats.claim",
            1,
            Harmless("flags of committed claims, which the comparison brings back"),
        ),
        ("orders/checkout.rs", "seats.pin", 1, Is(Step::Pin)),
        ("orders/checkout.rs", "seats.release", 1, Is(Step::GiveBack)),
        ("orders/close.rs", "seats.pin", 1, Is(Step::Pin)),
        ("orders/comps.rs", "seats.hold", 1, Is(Step::Hold)),
        ("orders/comps.rs", "seats.release", 1, Harmless("a hold that nobody has use for ends by itself")),
        ("orders/door.rs", "commit", 1, Harmless("Postgres alone: nobody else is told")),
        ("orders/effects.rs", "execute", 4, Is(Step::CloseOutbox)), // and three that say when to try next
        ("orders/effects.rs", "fetch", 1, Harmless("a lease, which ends by itself")),
        ("orders/effects.rs", "seats.free", 2, Is(Step::Show)),
        ("orders/effects.rs", "seats.release", 1, Is(Step::Show)),
        ("orders/effects.rs", "seats.sell", 1, Is(Step::Show)),
        ("orders/inbox.rs", "execute", 4, Is(Step::Inbox)), // and `CloseInbox`, and two that say when to try next
        ("orders/inbox.rs", "fetch", 1, Harmless("a lease, which ends by itself")),
        ("orders/money_back.rs", "fetch", 1, Is(Step::AdoptRefund)),
        ("orders/money_back.rs", "payments.refund", 1, Is(Step::SendRefund)),
        ("orders/moving.rs", "seats.keep_place", 1, Is(Step::KeepSeat)),
        (
            "orders/moving.rs",
            "seats.release",
            1,
            Harmless("a seat that is kept for a move is kept for seconds"),
        ),
        ("orders/moving.rs", "seats.sell", 1, Harmless("a part of what `Show` does, which is owed")),
        ("orders/parked.rs", "execute", 2, Is(Step::Park)), // and that it waits no longer, which a walk finds again
        (
            "orders/payment.rs",
            "execute",
            1,
            Harmless("Stripe keeps the failure: whoever asks again meets it again"),
        ),
        ("orders/picture.rs", "seats.repair", 1, Harmless("the comparison itself, which is repeated")),
        ("orders/rebuild.rs", "commit", 1, Harmless("reads")),
        ("orders/rebuild.rs", "seats.load", 1, Is(Step::LoadPart)), // and `LoadMarker`
        ("orders/rebuild.rs", "seats.tell_witness", 1, Harmless("every node tells it again")),
        ("orders/settle.rs", "commit", 1, Harmless("a savepoint of `Decide`")),
        ("orders/settle.rs", "seats.claim", 1, Is(Step::TakeAgain)),
        ("orders/witness.rs", "execute", 4, Harmless("a number that every node raises again")),
        ("orders/witness.rs", "fetch", 1, Harmless("a number that every node raises again")),
        ("orders/witness.rs", "seats.raise_witness", 1, Harmless("every node tells it again")),
        ("waitlist/agree.rs", "execute", 1, Harmless("the comparison itself, which is repeated")),
        ("waitlist/agree.rs", "seats.begin_waiting", 1, Harmless("the comparison itself, which is repeated")),
        ("waitlist/offers.rs", "seats.release", 1, Is(Step::TakeOfferBack)),
        ("waitlist/serve.rs", "commit", 1, Harmless("reads")),
        ("waitlist/serve.rs", "execute", 1, Harmless("the name of a next try: the next turn needs it again")),
        ("waitlist/serve.rs", "seats.end_waiting", 1, Is(Step::LetGo)),
        ("waitlist/serve.rs", "seats.pass_on", 1, Is(Step::LetGo)),
        ("waitlist/unwritten.rs", "seats.release", 1, Harmless("the comparison itself, which is repeated")),
    ]
};

/// The code of each place, by its path below `src`, without comments, unit tests and white space.
fn code() -> BTreeMap<String, String> {
    fn read(root: &Path, name: &str, found: &mut BTreeMap<String, String>) {
        let path = root.join(name);
        if path.is_dir() {
            for entry in std::fs::read_dir(&path).expect("a folder").filter_map(Result::ok) {
                read(root, &format!("{name}/{}", entry.file_name().to_string_lossy()), found);
            }
            return;
        }
        let text = std::fs::read_to_string(path).expect("a text");
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        found.insert(name.to_owned(), lines.flat_map(str::split_whitespace).collect());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    for place in PLACES {
        read(&root, place, &mut found);
    }
    found
}

/// What stands between each `proof::step(` and the bracket that closes it.
fn steps(code: &str) -> Vec<std::ops::Range<usize>> {
    let opened = code.match_indices("proof::step(").map(|(at, word)| at + word.len());
    let closed = |from: usize| {
        let mut depth = 1;
        code[from..].find(|letter| {
            depth += match letter {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        })
    };
    opened.map(|from| from..from + closed(from).expect("brackets close")).collect()
}

/// Every call that may write, with where it stands.
fn writes(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for store in ["self.seats.", "self.payments."] {
        for (at, word) in code.match_indices(store) {
            let rest = &code[at + word.len()..];
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(0);
            let call = format!("{}{}", &store["self.".len()..], &rest[..end]);
            if rest[end..].starts_with('(') && !QUESTIONS.contains(&call.as_str()) {
                found.push((at, call));
            }
        }
    }
    for (written, call) in [(".commit()", "commit"), (".execute(&self.pg)", "execute")] {
        found.extend(code.match_indices(written).map(|(at, _)| (at, call.to_owned())));
    }
    let fetches = code.match_indices("(&self.pg)").map(|(at, _)| at);
    found.extend(fetches.filter(|&at| writes_and_reads(&code[..at])).map(|at| (at, "fetch".to_owned())));
    found
}

/// Whether a text ends with a fetch whose statement changes something.
fn writes_and_reads(code: &str) -> bool {
    let Some((before, _)) = code.rsplit_once(".fetch_").filter(|(_, kind)| kind.len() < "optional".len() + 1)
    else {
        return false;
    };
    let statement = before.rsplit("sqlx::query").next().unwrap_or_default();
    let statement = statement.replace("forupdate", "").replace("updated_at", "");
    ["update", "insertinto", "deletefrom"].iter().any(|word| statement.contains(word))
}

#[test]
fn every_write_between_the_stores_is_a_step_or_says_why_it_is_none() {
    let mut nameless: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut named = 0;
    for (file, code) in code() {
        let steps = steps(&code);
        for (at, call) in writes(&code) {
            if steps.iter().any(|step| step.contains(&at)) {
                named += 1;
            } else {
                *nameless.entry((file.clone(), call)).or_default() += 1;
            }
        }
    }
    let known: BTreeMap<_, _> = NAMELESS
        .iter()
        .map(|(file, call, count, _)| (((*file).to_owned(), (*call).to_owned()), *count))
        .collect();
    assert_eq!(nameless, known, "a write is either a step of `proof`, or in this list with a reason");
    // Whoever reads nothing finds nothing to complain of.
    assert!(named > 30, "only {named} calls are steps");
    for (file, call, _, why) in &NAMELESS {
        match why {
            Why::Is(step) => assert!(Step::ALL.contains(step), "{file}: {call}"),
            Why::Harmless(why) => assert!(!why.is_empty(), "{file}: {call}"),
        }
    }
}
