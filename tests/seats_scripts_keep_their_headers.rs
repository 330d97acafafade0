//! Each script says every reply that its header documents, and no other: called as the header says, with its
//! KEYS and ARGV in order, until all have been heard.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast::ids::{AccountId, EventId, HoldId};
use holdfast::seats::keys::Keys;
use holdfast::seats::{Asker, Place, Rules};
use redis::{Script, Value, from_redis_value};
use uuid::Uuid;

use crate::seats_support::{House, ask, open_rules, order, plan};

const EVENT: &str = include_str!("../lua/shared/event.lua");
const EXPIRY: &str = include_str!("../lua/shared/expiry.lua");
const GRANTING: &str = include_str!("../lua/shared/granting.lua");
const REMEMBERING: &str = include_str!("../lua/shared/remembering.lua");
const IN_TURN: &str = include_str!("../lua/shared/in_turn.lua");
const CHOOSING: &str = include_str!("../lua/shared/choosing.lua");
const RECALLING: &str = include_str!("../lua/shared/recalling.lua");
/// The news of an event in its first epoch.
const FIRST: i64 = 1_000_000;
const MINUTE: Duration = Duration::from_mins(1);

/// A script with its header, and what it has said so far.
struct Heard {
    house: House,
    script: Script,
    documented: BTreeSet<String>,
    said: BTreeSet<String>,
}

/// The codes of a header: a word, then the feed id or two quotes.
fn codes(text: &str) -> BTreeSet<String> {
    let header = text.split("]]").next().unwrap();
    let code = |line: &str| {
        let line = line.trim().strip_prefix("Replies").unwrap_or(line).trim();
        let mut words = line.split_whitespace();
        let (code, feed) = (words.next()?, words.next()?);
        (feed == "f" || feed == "''").then(|| code.to_owned())
    };
    header.lines().filter_map(code).collect()
}

impl Heard {
    async fn of(text: &str, shared: &[&str]) -> Self {
        let whole = [&[EVENT], shared, &[text]].concat();
        Self {
            house: House::single().await,
            script: Script::new(&whole.concat()),
            documented: codes(text).into_iter().chain(shared.iter().flat_map(|part| codes(part))).collect(),
            said: BTreeSet::new(),
        }
    }

    async fn event(&self, rules: &Rules) -> EventId {
        self.house.event(&[4, 3], rules).await
    }

    /// Calls the script with the shared keys and prefixes before the given ones; answers the whole reply.
    async fn says(&mut self, event: EventId, keys: &[String], args: &[String]) -> Vec<String> {
        let names = Keys::of(event);
        let mut call = self.script.prepare_invoke();
        names.shared().iter().chain(keys).for_each(|key| {
            call.key(key);
        });
        [names.flags(), names.records()].iter().chain(args).for_each(|arg| {
            call.arg(arg);
        });
        let reply: Vec<Value> = call.invoke_async(&mut self.house.redis.clone()).await.unwrap();
        let text = |part| {
            from_redis_value::<Vec<u8>>(part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let number =
            |part: &Value| if let Value::Int(number) = part { Some(number.to_string()) } else { None };
        let reply: Vec<String> =
            reply.into_iter().map(|part| number(&part).unwrap_or_else(|| text(part).unwrap())).collect();
        self.said.insert(reply[0].clone());
        reply
    }

    fn everything(self) {
        assert!(self.documented.contains("not_ready"), "the header was read");
        assert_eq!(self.said, self.documented, "said, and documented");
    }
}

fn words(words: &[&dyn ToString]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// A customer's call of `hold` or `hold_best`, to be varied.
struct Asking {
    hold: HoldId,
    owner: AccountId,
    wish: &'static str,
    replaces: Option<HoldId>,
    cap: u32,
    /// The fingerprint of a call that is remembered.
    call: &'static str,
}

impl Asking {
    fn new() -> Self {
        Self {
            hold: HoldId(Uuid::new_v4()),
            owner: AccountId::new(),
            wish: "w",
            replaces: None,
            cap: 64,
            call: "",
        }
    }

    fn keys(&self, event: EventId) -> Vec<String> {
        let keys = Keys::of(event);
        let own = keys.hold(self.hold);
        let memory = if self.call.is_empty() { own.clone() } else { keys.once(self.owner, "key") };
        vec![own, keys.hold(self.replaces.unwrap_or(self.hold)), memory]
    }

    fn args(&self) -> Vec<String> {
        let replaces = self.replaces.map(|hold| hold.to_string()).unwrap_or_default();
        words(&[&self.hold, &self.owner, &self.wish, &replaces, &300_000, &self.cap, &"public", &self.call])
    }

    async fn named(&self, heard: &mut Heard, event: EventId, seats: &[u32]) -> Vec<String> {
        self.wants(heard, event, seats, &[]).await
    }

    async fn wants(&self, heard: &mut Heard, event: EventId, seats: &[u32], area: &[u32]) -> Vec<String> {
        let names = Keys::of(event);
        let keys = [self.keys(event), seats.iter().map(|&seat| names.flag(seat)).collect()].concat();
        let mut args = self.args();
        args.extend(words(&[&seats.len(), &0]));
        args.extend(seats.iter().chain(area).map(ToString::to_string));
        heard.says(event, &keys, &args).await
    }

    async fn best(&self, heard: &mut Heard, event: EventId, quantity: u32, hops: u32) -> Vec<String> {
        let args = [self.args(), words(&[&quantity, &hops, &-1, &"", &"", &0, &4, &5, &8])].concat();
        heard.says(event, &self.keys(event), &args).await
    }
}

/// What `hold` and `hold_best` have in common, said by whichever asks.
async fn granting(heard: &mut Heard, asks: impl AsyncFn(&Asking, &mut Heard, EventId) -> Vec<String>) {
    let event = heard.event(&open_rules()).await;
    let first = Asking::new();
    let granted = asks(&first, heard, event).await;
    assert_eq!(granted[0], "held");
    let repeated = asks(&first, heard, event).await;
    assert_eq!(repeated[1], "", "a repeat changes nothing");
    assert_eq!((&granted[2..5], &granted[6]), (&repeated[2..5], &repeated[6]), "and says the same again");

    assert_eq!(asks(&Asking { owner: AccountId::new(), ..first }, heard, event).await[0], "not_owner");
    assert_eq!(asks(&Asking { wish: "other", ..first }, heard, event).await[0], "mismatch");
    let swap = |old| Asking { hold: HoldId(Uuid::new_v4()), replaces: Some(old), ..first };
    let second = asks(&swap(first.hold), heard, event).await;
    assert_eq!(second[0], "held");
    assert_eq!(asks(&swap(first.hold), heard, event).await[0], "expired", "it was replaced");
    assert_eq!(asks(&first, heard, event).await[0], "expired", "and is not granted anew");

    let event = heard.event(&open_rules()).await;
    assert_eq!(asks(&first, heard, event).await[0], "held");
    heard.house.engine.pin(event, first.hold, first.owner, order(), MINUTE, false).await.unwrap();
    assert_eq!(asks(&swap(first.hold), heard, event).await[0], "in_checkout");

    let closed = heard.event(&Rules { closed: true, ..open_rules() }).await;
    assert_eq!(asks(&Asking::new(), heard, closed).await[5], "1");
    let over = heard.event(&Rules { sale_ends_ms: Some(5), ..open_rules() }).await;
    assert_eq!(asks(&Asking::new(), heard, over).await[..4], words(&[&"sale_closed", &"", &"", &5]));
    let limited = heard.event(&Rules { max_per_customer: Some(1), ..open_rules() }).await;
    assert_eq!(asks(&Asking::new(), heard, limited).await, words(&[&"limit", &"", &1, &0]));
    let behind_a_room = heard.event(&Rules { room: true, ..open_rules() }).await;
    assert_eq!(asks(&Asking::new(), heard, behind_a_room).await[0], "not_admitted");

    // Two holds are due and a call may sweep one: the other is left to the next call.
    let busy = heard.event(&open_rules()).await;
    heard.house.lapsed(busy, 0..2).await;
    let one_by_one = Asking { cap: 1, ..Asking::new() };
    assert_eq!(asks(&one_by_one, heard, busy).await[0], "again");
    assert_eq!(asks(&one_by_one, heard, busy).await[0], "held");
    assert_eq!(asks(&Asking::new(), heard, EventId::new()).await, words(&[&"not_ready", &""]));
}

/// What `hold` and `hold_best` say to a call that comes again.
async fn remembering(heard: &mut Heard, asks: impl AsyncFn(&Asking, &mut Heard, EventId) -> Vec<String>) {
    let event = heard.event(&open_rules()).await;
    let first = Asking { call: "call", ..Asking::new() };
    let granted = asks(&first, heard, event).await;
    assert_eq!(granted[0], "held");
    let again = Asking { hold: HoldId(Uuid::new_v4()), ..first };
    let told = asks(&again, heard, event).await;
    assert_eq!(told[..3], words(&[&"answered", &"", &first.hold]), "whatever it would be called now");
    assert_eq!(told[3..], granted, "word for word");
    assert_eq!(asks(&Asking { call: "other", ..again }, heard, event).await, words(&[&"reused", &""]));

    // Nothing is asked of a picture that is not there, and nothing of that is remembered.
    let later = EventId::new();
    assert_eq!(asks(&first, heard, later).await[0], "not_ready");
    let memory: bool =
        heard.house.ask(redis::cmd("EXISTS").arg(Keys::of(later).once(first.owner, "key"))).await;
    assert!(!memory);
}

#[tokio::test]
async fn hold() {
    let mut heard = Heard::of(include_str!("../lua/hold.lua"), &[EXPIRY, GRANTING, REMEMBERING]).await;
    granting(&mut heard, async |asking, heard, event| asking.named(heard, event, &[0, 1]).await).await;
    remembering(&mut heard, async |asking, heard, event| asking.named(heard, event, &[0, 1]).await).await;

    let event = heard.event(&Rules { orphan_rule: true, ..open_rules() }).await;
    assert_eq!(Asking::new().named(&mut heard, event, &[1]).await, words(&[&"refused", &"", &1, &"orphan"]));
    let area = Asking::new().wants(&mut heard, event, &[], &[5, 8, 4]).await;
    assert_eq!(area, words(&[&"sold_out", &"", &3]));
    heard.everything();
}

#[tokio::test]
async fn hold_best() {
    let shared = [EXPIRY, GRANTING, REMEMBERING, CHOOSING, RECALLING];
    let mut heard = Heard::of(include_str!("../lua/hold_best.lua"), &shared).await;
    granting(&mut heard, async |asking, heard, event| asking.best(heard, event, 2, 100).await).await;
    remembering(&mut heard, async |asking, heard, event| asking.best(heard, event, 2, 100).await).await;

    let event = heard.event(&open_rules()).await;
    assert_eq!(Asking::new().best(&mut heard, event, 5, 100).await, words(&[&"no_adjacent", &"", &7]));
    assert_eq!(Asking::new().best(&mut heard, event, 8, 100).await, words(&[&"sold_out", &"", &7]));
    // Seat 0 alone is free in the first row: two hops later the call has to be made again.
    heard.house.engine.block(event, &[1, 3]).await.unwrap();
    assert_eq!(Asking::new().best(&mut heard, event, 2, 2).await, words(&[&"more", &"", &2, &""]));
    heard.everything();
}

#[tokio::test]
async fn offer() {
    let shared = [EXPIRY, GRANTING, CHOOSING];
    let mut heard = Heard::of(include_str!("../lua/offer.lua"), &shared).await;
    let asks =
        async |asking: &Asking, heard: &mut Heard, event: EventId, quantity: u32, hops: u32, seen: i64| {
            let keys = [asking.keys(event), vec![Keys::of(event).scratch()]].concat();
            let args = words(&[&quantity, &hops, &-1, &"", &seen, &60_000, &0, &0, &4, &5, &8]);
            heard.says(event, &keys, &[asking.args(), args].concat()).await
        };
    granting(&mut heard, async |asking, heard, event| asks(asking, heard, event, 2, 100, FIRST).await).await;

    let event = heard.event(&open_rules()).await;
    assert_eq!(asks(&Asking::new(), &mut heard, event, 5, 100, FIRST).await, words(&[&"none", &""]));
    assert_eq!(asks(&Asking::new(), &mut heard, event, 1, 100, 0).await, words(&[&"changed", &""]));
    heard.house.engine.block(event, &[1, 3]).await.unwrap();
    assert_eq!(asks(&Asking::new(), &mut heard, event, 2, 2, FIRST).await, words(&[&"more", &"", &2, &""]));
    let scratch: bool = heard.house.ask(redis::cmd("EXISTS").arg(Keys::of(event).scratch())).await;
    assert!(!scratch, "the plane that it works on is gone");
    heard.everything();
}

#[tokio::test]
async fn wait() {
    let mut heard = Heard::of(include_str!("../lua/wait.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let held = heard.house.engine.hold(&ask(event, AccountId::new(), &[0, 1, 2])).await.unwrap();
    assert_eq!(
        heard.says(event, &[], &words(&[&"begin", &"", &0])).await,
        words(&[&"waiting", &"", &(FIRST + 1)])
    );
    heard.house.engine.release(event, held.hold, Asker::Owner(held.owner)).await.unwrap();
    let stale = heard.says(event, &[], &words(&[&"end", &(FIRST + 1), &9])).await;
    assert_eq!(stale, words(&[&"changed", &"", &(FIRST + 2)]), "seats came in between");
    assert_eq!(
        heard.says(event, &[], &words(&[&"end", &(FIRST + 2), &2])).await[2..],
        words(&[&2, &1]),
        "one is left"
    );
    assert_eq!(heard.says(event, &[], &words(&[&"end", &(FIRST + 2), &2])).await[2..], words(&[&1, &0]));
    assert_eq!(
        heard.says(event, &[], &words(&[&"end", &(FIRST + 2), &2])).await[2..],
        words(&[&0, &0]),
        "a repeat"
    );
    heard.says(EventId::new(), &[], &words(&[&"begin", &"", &0])).await;
    heard.everything();
}

#[tokio::test]
async fn room_and_admit() {
    let mut room = Heard::of(include_str!("../lua/room.lua"), &[]).await;
    let mut admit = Heard::of(include_str!("../lua/admit.lua"), &[]).await;
    let rules = Rules { room: true, ..open_rules() };
    let keys = |event| Keys::of(event).room();
    let comes = async |heard: &mut Heard, event, customer: AccountId| {
        let [line, room, passes, _] = keys(event);
        heard.says(event, &[line, room, passes], &words(&[&customer, &"0.5", &60_000, &""])).await
    };
    let opens = async |heard: &mut Heard, event, pace: u32| {
        let [line, room, _, doors] = keys(event);
        heard.says(event, &[line, room, doors], &words(&[&pace, &60_000])).await
    };
    let (ada, ben) = (AccountId::new(), AccountId::new());
    let far = i64::MAX / 4096;
    let without = room.event(&open_rules()).await;
    assert_eq!(comes(&mut room, without, ada).await, words(&[&"none", &""]));
    assert_eq!(opens(&mut admit, without, 1).await, words(&[&"none", &""]));
    let closed = room.event(&Rules { room_opens_ms: Some(far), ..rules.clone() }).await;
    assert_eq!(comes(&mut room, closed, ada).await[0], "closed");
    let early = room.event(&Rules { sale_starts_ms: Some(far), ..rules.clone() }).await;
    assert_eq!(comes(&mut room, early, ada).await[..4], words(&[&"early", &"", &"0.5", &1]));
    assert_eq!(opens(&mut admit, early, 1).await[0], "none");
    let event = room.event(&rules).await;
    assert_eq!(comes(&mut room, event, ada).await[..5], words(&[&"waiting", &"", &1, &1, &1]));
    assert_eq!(comes(&mut room, event, ben).await[..5], words(&[&"waiting", &"", &2, &2, &2]));
    assert_eq!(comes(&mut room, event, ada).await[..4], words(&[&"waiting", &"", &1, &1]), "a repeat");
    assert_eq!(opens(&mut admit, event, 1).await[..4], words(&[&"admitted", &"", &1, &1]));
    assert_eq!(opens(&mut admit, event, 0).await[2], "0", "the pace allows no more");
    assert_eq!(comes(&mut room, event, ada).await[0], "admitted");
    assert_eq!(comes(&mut room, event, ben).await[3], "1", "the next one");
    comes(&mut room, EventId::new(), ada).await;
    opens(&mut admit, EventId::new(), 1).await;
    room.everything();
    admit.everything();
}

#[tokio::test]
async fn look() {
    let mut heard = Heard::of(include_str!("../lua/look.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let held = heard.house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    let key = |event, hold| vec![Keys::of(event).hold(hold)];
    let found = heard.says(event, &key(event, held.hold), &words(&[&held.hold])).await;
    assert_eq!((found[0].as_str(), found[8].as_str()), ("found", "1"));
    heard.house.lapse(event, held.hold).await;
    assert_eq!(heard.says(event, &key(event, held.hold), &words(&[&held.hold])).await[8], "0");
    let nobody = HoldId(Uuid::new_v4());
    heard.says(event, &key(event, nobody), &words(&[&nobody])).await;
    heard.says(EventId::new(), &key(event, nobody), &words(&[&nobody])).await;
    heard.everything();
}

#[tokio::test]
async fn pin() {
    let mut heard = Heard::of(include_str!("../lua/pin.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let (owner, mine) = (AccountId::new(), order());
    let held = heard.house.engine.hold(&ask(event, owner, &[0])).await.unwrap();
    let key = vec![Keys::of(event).hold(held.hold)];
    let args = |owner: AccountId, order, ms: i64, renew: u8| {
        words(&[&held.hold, &owner, &order, &ms, &60_000, &renew])
    };
    let until = async |heard: &mut Heard, ms, renew| -> i64 {
        heard.says(event, &key, &args(owner, mine, ms, renew)).await[2].parse().unwrap()
    };
    assert_eq!(until(&mut heard, 1000, 0).await, held.deadline_ms, "never an earlier moment");
    let oldest = held.first_held_ms + 2 * 600_000 + 60_000;
    assert_eq!(until(&mut heard, 36_000_000, 0).await, oldest, "never past the oldest age");
    assert!(until(&mut heard, 36_000_000, 1).await > oldest, "unless it is renewed");
    assert_eq!(heard.says(event, &key, &args(owner, order(), 1000, 0)).await[2], mine.to_string());
    heard.says(event, &key, &args(AccountId::new(), mine, 1000, 0)).await;
    heard.house.lapse(event, held.hold).await;
    heard.says(event, &key, &args(owner, mine, 1000, 0)).await;
    heard.says(EventId::new(), &key, &args(owner, mine, 1000, 0)).await;
    heard.everything();
}

#[tokio::test]
async fn claim() {
    let mut heard = Heard::of(include_str!("../lua/claim.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let (owner, order) = (AccountId::new(), order());
    let held = heard.house.engine.hold(&ask(event, owner, &[0, 1])).await.unwrap();
    let keys = vec![Keys::of(event).hold(held.hold), Keys::of(event).flag(0), Keys::of(event).flag(1)];
    let args = |owner: AccountId| words(&[&order, &held.hold, &owner, &600_000, &0, &1]);
    heard.says(event, &keys, &args(owner)).await;
    heard.says(event, &keys, &args(AccountId::new())).await;
    heard.house.lapse(event, held.hold).await;
    heard.house.engine.sweep(event).await.unwrap();
    assert_eq!(heard.says(event, &keys, &args(owner)).await[0], "taken_again");
    assert_eq!(heard.says(event, &keys, &args(owner)).await[0], "kept", "a repeat");
    heard.house.lapse(event, held.hold).await;
    heard.house.engine.hold(&ask(event, AccountId::new(), &[1])).await.unwrap();
    assert_eq!(heard.says(event, &keys, &args(owner)).await, words(&[&"lost", &"", &1]));
    heard.says(EventId::new(), &keys, &args(owner)).await;
    heard.everything();
}

#[tokio::test]
async fn sell_and_free() {
    let mut sell = Heard::of(include_str!("../lua/sell.lua"), &[IN_TURN]).await;
    let mut free = Heard::of(include_str!("../lua/free.lua"), &[IN_TURN]).await;
    let event = sell.event(&open_rules()).await;
    let (owner, order) = (AccountId::new(), order());
    let held = sell.house.engine.hold(&ask(event, owner, &[0, 1])).await.unwrap();
    let flags = vec![Keys::of(event).flag(0), Keys::of(event).flag(1)];
    let turn = Keys::of(event).turn(order);
    let keys = [vec![turn.clone(), Keys::of(event).hold(held.hold)], flags.clone()].concat();
    let args = words(&[&order, &1, &held.hold, &owner, &0, &1]);
    assert_eq!(sell.says(event, &keys, &args).await[2], "2");
    assert_eq!(sell.says(event, &keys, &args).await, words(&[&"sold", &"", &0]), "a repeat");
    sell.says(EventId::new(), &keys, &args).await;
    sell.everything();

    let keys = [vec![turn], flags].concat();
    let args = words(&[&order, &2, &owner, &0, &1]);
    assert_eq!(free.says(event, &keys, &args).await[2], "2");
    assert_eq!(free.says(event, &keys, &args).await, words(&[&"freed", &"", &0]), "a repeat");
    free.says(EventId::new(), &keys, &args).await;
    free.everything();
}

#[tokio::test]
async fn witness() {
    let mut heard = Heard::of(include_str!("../lua/witness.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let key = vec![Keys::of(event).witness()];
    heard.house.engine.tell_witness(event, 7).await.unwrap();
    assert_eq!(heard.says(event, &key, &words(&[&8, &6])).await, words(&[&"told", &""]));
    assert_eq!(heard.says(event, &key, &words(&[&8, &6])).await, words(&[&"told", &""]), "a repeat");
    let old_copy = heard.says(event, &key, &words(&[&11, &9])).await;
    assert_eq!(old_copy, words(&[&"strange", &"", &8]));
    let lost_commits = heard.says(event, &key, &words(&[&5, &3])).await;
    assert_eq!(lost_commits, words(&[&"strange", &"", &8]));
    assert_eq!(
        heard.house.engine.witness(event).await.unwrap(),
        Some(8),
        "what tells of a loss is left there"
    );
    // A picture that is being built anew is told as well.
    heard.says(EventId::new(), &key, &words(&[&8, &6])).await;
    assert_eq!(heard.said, heard.documented, "said, and documented");
}

#[tokio::test]
async fn release() {
    let mut heard = Heard::of(include_str!("../lua/release.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let (owner, order) = (AccountId::new(), order());
    let held = heard.house.engine.hold(&ask(event, owner, &[0, 1])).await.unwrap();
    let key = vec![Keys::of(event).hold(held.hold)];
    let by = |who: &str, id: String| words(&[&held.hold, &who, &id]);
    heard.says(event, &key, &by("owner", AccountId::new().to_string())).await;
    heard.house.engine.pin(event, held.hold, owner, order, MINUTE, false).await.unwrap();
    assert_eq!(heard.says(event, &key, &by("owner", owner.to_string())).await[2], order.to_string());
    assert_eq!(heard.says(event, &key, &by("order", order.to_string())).await[2], "2");
    assert_eq!(heard.says(event, &key, &by("order", order.to_string())).await[0], "gone", "a repeat");
    heard.says(EventId::new(), &key, &by("owner", owner.to_string())).await;
    heard.everything();
}

#[tokio::test]
async fn move_() {
    let mut heard = Heard::of(include_str!("../lua/move.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    heard.house.engine.begin_waiting(event).await.unwrap();
    let (owner, order) = (AccountId::new(), order());
    let key = |event, hold| vec![Keys::of(event).hold(hold)];
    let asks = |hold: HoldId, from: u32, to: u32| words(&[&hold, &owner, &order, &60_000, &from, &to]);
    let fresh = || HoldId(Uuid::new_v4());
    let first = fresh();
    assert_eq!(heard.says(event, &key(event, first), &asks(first, 5, 8)).await[2], "5");
    let repeat = heard.says(event, &key(event, first), &asks(first, 5, 8)).await;
    assert_eq!(repeat, words(&[&"held", &"", &5]), "a repeat");
    let second = fresh();
    let refused = heard.says(event, &key(event, second), &asks(second, 5, 6)).await;
    assert_eq!(refused, words(&[&"refused", &"", &"held"]));
    assert_eq!(heard.says(event, &key(event, second), &asks(second, 5, 8)).await[2], "6", "the next one");
    // Another's seat whose hold has expired is the waiting list's, where there is one, and else anybody's.
    let held = heard.house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    heard.house.lapse(event, held.hold).await;
    let third = fresh();
    assert_eq!(heard.says(event, &key(event, third), &asks(third, 0, 1)).await[2], "held");
    let news = heard.house.engine.news(event).await.unwrap();
    heard.house.engine.end_waiting(event, news).await.unwrap();
    assert_eq!(heard.says(event, &key(event, third), &asks(third, 0, 1)).await[2], "0");
    heard.house.engine.sweep(event).await.unwrap();
    assert_eq!(heard.says(event, &key(event, third), &asks(third, 0, 1)).await[0], "held", "it stays ours");
    let full = fresh();
    assert_eq!(heard.says(event, &key(event, full), &asks(full, 5, 7)).await, words(&[&"sold_out", &""]));
    heard.house.lapse(event, first).await;
    heard.says(event, &key(event, first), &asks(first, 5, 8)).await;
    heard.says(EventId::new(), &key(event, first), &asks(first, 5, 8)).await;
    heard.everything();
}

#[tokio::test]
async fn sweep() {
    let mut heard = Heard::of(include_str!("../lua/sweep.lua"), &[EXPIRY]).await;
    let event = heard.event(&open_rules()).await;
    heard.house.lapsed(event, 0..2).await;
    assert_eq!(heard.says(event, &[], &words(&[&1])).await[2], "1", "there is more");
    assert_eq!(heard.says(event, &[], &words(&[&1])).await[2], "0");
    assert_eq!(heard.says(event, &[], &words(&[&1])).await, words(&[&"swept", &"", &0, &"", &"", &""]));
    heard.house.engine.hold(&ask(event, AccountId::new(), &[3])).await.unwrap();
    let next: u64 = heard.says(event, &[], &words(&[&1])).await[5].parse().unwrap();
    assert!((500_000..=660_000).contains(&next), "ten minutes, and the grace: {next}");
    heard.says(EventId::new(), &[], &words(&[&1])).await;
    heard.everything();
}

#[tokio::test]
async fn block_and_unblock() {
    let mut block = Heard::of(include_str!("../lua/block.lua"), &[]).await;
    let mut unblock = Heard::of(include_str!("../lua/unblock.lua"), &[]).await;
    let event = block.event(&open_rules()).await;
    block.house.engine.hold(&ask(event, AccountId::new(), &[1])).await.unwrap();
    let flags = |seats: &[u32]| seats.iter().map(|&seat| Keys::of(event).flag(seat)).collect::<Vec<_>>();
    assert_eq!(
        block.says(event, &flags(&[0, 1]), &words(&[&0, &1])).await,
        words(&[&"refused", &"", &1, &"held"])
    );
    assert_eq!(block.says(event, &flags(&[0]), &words(&[&0])).await[2], "1");
    assert_eq!(
        block.says(event, &flags(&[0]), &words(&[&0])).await,
        words(&[&"blocked", &"", &0]),
        "a repeat"
    );
    block.says(EventId::new(), &flags(&[0]), &words(&[&0])).await;
    block.everything();

    assert_eq!(unblock.says(event, &flags(&[0, 1]), &words(&[&0, &1])).await[2], "1");
    let repeat = unblock.says(event, &flags(&[0, 1]), &words(&[&0, &1])).await;
    assert_eq!(repeat, words(&[&"unblocked", &"", &0]));
    unblock.says(EventId::new(), &flags(&[0]), &words(&[&0])).await;
    unblock.everything();
}

#[tokio::test]
async fn repair() {
    let mut heard = Heard::of(include_str!("../lua/repair.lua"), &[]).await;
    let event = heard.event(&open_rules()).await;
    let args = words(&[&0, &"", &"sold", &order(), &"", &AccountId::new(), &"", &""]);
    assert_eq!(heard.says(event, &[], &args).await[2], "1");
    assert_eq!(heard.says(event, &[], &args).await, words(&[&"repaired", &"", &0, &""]), "a repeat");
    heard.says(EventId::new(), &[], &args).await;
    heard.everything();
}

#[tokio::test]
async fn configure_and_snapshot() {
    let mut configure = Heard::of(include_str!("../lua/configure.lua"), &[]).await;
    let mut snapshot = Heard::of(include_str!("../lua/snapshot.lua"), &[]).await;
    let event = configure.event(&open_rules()).await;
    configure.says(event, &[], &words(&[&"limit", &3])).await;
    configure.says(EventId::new(), &[], &words(&[&"limit", &3])).await;
    configure.everything();
    let reply = snapshot.says(event, &[], &[]).await;
    assert_eq!(reply[2..4], words(&[&1, &7]), "the epoch and the places");
    snapshot.says(EventId::new(), &[], &[]).await;
    snapshot.everything();
}

#[tokio::test]
async fn load() {
    let mut heard = Heard::of(include_str!("../lua/load.lua"), &[]).await;
    // A load needs no marker: that is what it brings.
    heard.documented.insert("not_ready".into());
    heard.said.insert("not_ready".into());
    let event = EventId::new();
    let aisles = String::from("\u{1}");
    let step = |name: &str, token: &str, epoch: i32, rest: &[&dyn ToString]| {
        [words(&[&name, &token, &epoch]), words(rest)].concat()
    };
    let says = async |heard: &mut Heard, args: Vec<String>| heard.says(event, &[], &args).await[0].clone();
    let begin = |token: &str, epoch| step("begin", token, epoch, &[&8, &aisles]);
    assert_eq!(says(&mut heard, begin("a", 1)).await, "loaded");
    assert_eq!(says(&mut heard, step("part", "a", 1, &[&0, &4])).await, "loaded");
    assert_eq!(says(&mut heard, step("part", "a", 1, &[&0, &4])).await, "loaded", "a repeat");
    assert_eq!(
        says(&mut heard, step("finish", "a", 1, &[&"hold", &9])).await,
        "superseded",
        "a part is missing"
    );
    assert_eq!(says(&mut heard, begin("b", 1)).await, "loaded", "another node begins anew");
    assert_eq!(says(&mut heard, step("part", "a", 1, &[&4, &8])).await, "superseded");
    assert_eq!(says(&mut heard, step("part", "b", 1, &[&0, &8])).await, "loaded");
    assert_eq!(says(&mut heard, step("finish", "b", 1, &[&"hold", &9])).await, "loaded");
    assert_eq!(says(&mut heard, step("finish", "b", 1, &[&"hold", &9])).await, "loaded", "a repeat");
    assert_eq!(says(&mut heard, begin("c", 1)).await, "stale");
    heard.everything();
}

#[tokio::test]
async fn without_a_marker_every_script_says_not_ready() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let (owner, mine) = (AccountId::new(), order());
    let held = house.engine.hold(&ask(event, owner, &[0])).await.unwrap();
    let [meta, ..] = Keys::of(event).shared();
    let _: i64 = house.ask(redis::cmd("DEL").arg(meta)).await;

    let engine = &house.engine;
    let errors = [
        engine.hold(&ask(event, owner, &[1])).await.err(),
        engine.hold(&crate::seats_support::best(event, owner, &[(0, 4)], 1)).await.err(),
        engine.hold_of(event, held.hold).await.err(),
        engine.pin(event, held.hold, owner, mine, MINUTE, false).await.err(),
        engine.claim(event, mine, held.hold, owner, &[0], MINUTE).await.err(),
        engine.sell(event, (mine, 1), held.hold, owner, &[0]).await.err(),
        engine.release(event, held.hold, Asker::Owner(owner)).await.err(),
        engine.sweep(event).await.err(),
        engine.begin_waiting(event).await.err(),
        engine.free(event, (mine, 1), owner, &[0]).await.err(),
        engine.block(event, &[1]).await.err(),
        engine.unblock(event, &[1]).await.err(),
        engine.configure(event, &open_rules()).await.err(),
        engine.snapshot(event).await.err(),
        engine
            .keep_place(&Place { event, hold: held.hold, owner, order: mine, among: 0..1 }, MINUTE)
            .await
            .err(),
    ];
    for (at, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("call {at} was answered"));
        assert!(
            matches!(error, holdfast::seats::SeatsError::NotReady(known) if known == event),
            "{at}: {error}"
        );
    }
    assert_eq!(engine.epoch(event).await.unwrap(), None);
    engine.load(&plan(event, 2, &[4], &open_rules(), vec![])).await.unwrap();
    assert_eq!(engine.epoch(event).await.unwrap(), Some(2));
    assert!(engine.hold(&ask(event, owner, &[0])).await.is_ok(), "the old hold did not survive the rebuild");
}

#[tokio::test]
async fn a_picture_without_one_of_its_planes_grants_nothing_not_even_an_aisle() {
    let house = House::single().await;
    for plane in [1, 2] {
        let event = house.event(&[2, 2], &open_rules()).await;
        let owner = AccountId::new();
        let held = house.engine.hold(&ask(event, owner, &[0])).await.unwrap();
        let lost = Keys::of(event).shared()[plane].clone();
        let _: i64 = house.ask(redis::cmd("DEL").arg(&lost)).await;
        let best = crate::seats_support::best(event, owner, &[(0, 6)], 2);
        for written_since in [false, true] {
            if written_since {
                // Makes the key anew, without the aisles that were in it.
                house.engine.release(event, held.hold, Asker::Owner(owner)).await.unwrap();
            }
            for refused in [house.engine.hold(&ask(event, owner, &[1])).await, house.engine.hold(&best).await]
            {
                let error = refused.expect_err("nobody knows what is an aisle");
                assert!(matches!(error, holdfast::seats::SeatsError::NotReady(_)), "{lost}: {error}");
            }
        }
        house.engine.load(&plan(event, 2, &[2, 2], &open_rules(), vec![])).await.unwrap();
        assert_eq!(house.engine.hold(&best).await.unwrap().ordinals.len(), 2, "the picture is there again");
    }
}
