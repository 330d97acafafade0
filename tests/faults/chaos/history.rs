//! What everybody did and was told, with the moments between which it happened.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::register::{At, Deed, Losses, NEVER, What, explain};

/// A map that is shown when all is calm is not older than this: twice what is promised, and a second.
pub const STALE: At = 5000;

/// The moments between which an order did something, as its customer saw it.
#[derive(Debug, Clone, Default)]
struct OrderSeen {
    seats: Vec<String>,
    hold: String,
    /// When the checkout that made it began, and when it was first known to be there.
    asked: At,
    known: At,
    /// The last time that it was seen open, and the first time that it was seen otherwise.
    open_at: At,
    /// Between its last look without and its first with: confirmed, and over.
    confirmed: Option<(At, At)>,
    over: Option<(At, At)>,
    /// Times that it was over and then paid after all.
    lapses: Vec<(At, At)>,
    last: At,
    status: String,
    amount: i64,
}

/// The whole of what was seen in one round.
#[derive(Debug)]
pub struct History {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By event and seat.
    deeds: HashMap<(String, String), Vec<Deed>>,
    holds: HashMap<String, u32>,
    orders: HashMap<String, OrderSeen>,
    /// What makes no sense by itself.
    complaints: Vec<String>,
    losses: Losses,
    /// Since when no trouble keeps the map from following what is decided.
    calm_since: Option<At>,
    /// When a seat was first told to be sold or blocked, by event and seat.
    gone: HashMap<(String, String), At>,
}

impl History {
    pub fn new() -> Self {
        Self { began: Instant::now(), inner: Mutex::default() }
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> At {
        At::try_from(self.began.elapsed().as_millis()).unwrap_or(NEVER)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().expect("nobody panics with the lock"))
    }

    /// Redis may have lost what it was told between these moments.
    pub fn lost(&self, from: At, to: At) {
        self.with(|inner| inner.losses.lost.push((from, to)));
    }

    /// Somebody could not tell Redis what was decided between these moments.
    pub fn untold(&self, from: At, to: At) {
        self.with(|inner| inner.losses.untold.push((from, to)));
    }

    /// Something that makes no sense by itself.
    pub fn complains(&self, what: String) {
        self.with(|inner| inner.complaints.push(what));
    }

    /// Seats were granted to somebody, for so long from some moment since `from`.
    pub fn held(&self, event: &str, hold: &str, seats: &[String], from: At, left: Duration) {
        let (to, until) = (self.now(), from + At::try_from(left.as_millis()).unwrap_or(NEVER));
        self.with(|inner| {
            let hold = number(&mut inner.holds, hold);
            for seat in seats {
                inner.deed(event, seat, from, to, What::Held { hold, until });
            }
        });
    }

    /// An owner gives seats back; `to` is when that was answered, or never.
    pub fn let_go(&self, event: &str, hold: &str, seats: &[String], from: At, to: At) {
        self.with(|inner| {
            let hold = number(&mut inner.holds, hold);
            for seat in seats {
                inner.deed(event, seat, from, to, What::LetGo { hold });
            }
        });
    }

    pub fn blocked(&self, event: &str, seat: &str, from: At, to: At, blocked: bool) {
        let what = if blocked { What::Blocked } else { What::Unblocked };
        self.with(|inner| inner.deed(event, seat, from, to, what));
    }

    /// Everything is mended, at rest, and shown as it is.
    pub fn calms(&self) -> At {
        let now = self.now();
        self.with(|inner| inner.calm_since = Some(now));
        now
    }

    /// Somebody who asked at `from` was told that these are sold or blocked. While there is trouble that may be old news,
    /// however old; it was so once all the same.
    pub fn seen_gone(&self, event: &str, seats: &[String], from: At) {
        let to = self.now();
        self.with(|inner| {
            for seat in seats {
                if let Some(from) = inner.recent(from) {
                    inner.deed(event, seat, from, to, What::SeenGone);
                } else {
                    let first = inner.gone.entry((event.to_owned(), seat.clone())).or_insert(to);
                    *first = to.min(*first);
                }
            }
        });
    }

    /// Somebody who asked at `from` was shown these free: of that, old news says nothing.
    pub fn seen_free(&self, event: &str, seats: &[String], from: At) {
        let to = self.now();
        self.with(|inner| {
            let Some(from) = inner.recent(from) else { return };
            for seat in seats {
                inner.deed(event, seat, from, to, What::SeenFree);
            }
        });
    }

    /// How many looks have to fit between what was done, which changes nothing that is done.
    pub fn looks(&self) -> usize {
        self.with(|inner| {
            let looks = |deed: &&Deed| matches!(deed.what, What::SeenGone | What::SeenFree);
            inner.gone.len() + inner.deeds.values().flatten().filter(looks).count()
        })
    }

    /// An order as its customer saw it, asked for at `from`. `asked` is when its checkout began.
    pub fn order_seen(&self, order: &serde_json::Value, asked: At, from: At) {
        let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
        let (id, status) = (text("id"), text("status"));
        let seats: Vec<String> = order["seats"]
            .as_array()
            .map(|seats| seats.iter().filter_map(|seat| seat["id"].as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        let amount = order["amount"].as_i64().unwrap_or(0);
        let to = self.now();
        self.with(|inner| {
            let event = text("event_id");
            let complaint =
                inner.note_order(&event, &id, &status, seats, amount, (asked, from, to), &text("hold_id"));
            inner.complaints.extend(complaint);
        });
    }

    /// Whatever cannot be explained, in words.
    pub fn verdict(&self) -> Vec<String> {
        self.with(|inner| {
            let mut wrong = std::mem::take(&mut inner.complaints);
            inner.write_down_orders();
            for (seat, to) in std::mem::take(&mut inner.gone) {
                let deeds = inner.deeds.entry(seat).or_default();
                // A seat is shown blocked before Postgres has decided on it, which may refuse.
                if !deeds.iter().any(|deed| deed.what == What::Blocked && deed.from <= to) {
                    deeds.push(Deed { from: 0, to, what: What::SeenGone });
                }
            }
            for ((event, seat), deeds) in &inner.deeds {
                if let Err(stuck) = explain(deeds.clone(), &inner.losses) {
                    let all: Vec<_> = deeds.iter().map(|deed| format!("{deed:?}")).collect();
                    let holds = inner.holds.iter().filter(|(_, number)| deeds.iter().any(|deed| deed.is_of(**number)));
                    let names: Vec<_> = holds.map(|(id, number)| format!("hold {number} is {id}")).collect();
                    wrong.push(format!(
                        "seat {seat} of {event} cannot be explained; stuck at {stuck:?}; all of it:\n    {}\n    {}",
                        all.join("\n    "),
                        names.join("\n    ")
                    ));
                }
            }
            wrong
        })
    }

    /// How many deeds were placed, looks among them.
    pub fn size(&self) -> usize {
        self.with(|inner| inner.deeds.values().map(Vec::len).sum())
    }

    /// Orders that were last seen open: whoever has seen them must see them end.
    pub fn ends(&self) -> HashMap<String, usize> {
        self.with(|inner| {
            let mut ends = HashMap::new();
            for order in inner.orders.values() {
                *ends.entry(order.status.clone()).or_default() += 1;
            }
            ends
        })
    }
}

fn number(numbers: &mut HashMap<String, u32>, name: &str) -> u32 {
    let next = u32::try_from(numbers.len()).expect("few holds");
    *numbers.entry(name.to_owned()).or_insert(next)
}

impl Inner {
    fn deed(&mut self, event: &str, seat: &str, from: At, to: At, what: What) {
        self.deeds.entry((event.to_owned(), seat.to_owned())).or_default().push(Deed { from, to, what });
    }

    /// The earliest moment that an answer may speak of which was asked for at `from`, if there is one.
    fn recent(&self, from: At) -> Option<At> {
        let earliest = from.checked_sub(STALE)?;
        (self.calm_since? <= earliest).then_some(earliest)
    }

    #[expect(clippy::too_many_arguments, reason = "an order as it was seen, taken apart")]
    fn note_order(
        &mut self,
        event: &str,
        id: &str,
        status: &str,
        mut seats: Vec<String>,
        amount: i64,
        (asked, from, to): (At, At, At),
        hold: &str,
    ) -> Option<String> {
        seats.sort();
        let key = format!("{event} {id}");
        let known = self.orders.entry(key).or_insert_with(|| OrderSeen {
            seats: seats.clone(),
            hold: hold.to_owned(),
            asked,
            known: to,
            open_at: asked,
            last: asked,
            amount,
            ..OrderSeen::default()
        });
        let before = std::mem::replace(&mut known.status, status.to_owned());
        // Two looks may overlap; only one that began after the other had ended can contradict it.
        let is_later = from >= known.last;
        let complaint = (known.seats != seats || known.amount != amount || known.hold != hold)
            .then(|| format!("order {id} was {known:?} and is now of {seats:?} for {amount}"));
        match status {
            "awaiting_payment" | "closing" => {
                if is_later && (known.confirmed.is_some() || known.over.is_some()) {
                    return Some(format!("order {id} was {before} and is {status}"));
                }
                known.open_at = known.open_at.max(from);
            }
            "confirmed" => {
                if is_later && matches!(before.as_str(), "cancelled" | "refunding" | "refunded") {
                    return Some(format!("order {id} was {before} and is confirmed"));
                }
                let since = known.open_at;
                known.confirmed.get_or_insert((since, to));
                known.lapses.extend(known.over.take());
            }
            _ => {
                if is_later && before == "confirmed" && matches!(status, "failed" | "expired") {
                    return Some(format!("order {id} was confirmed and is {status}"));
                }
                let since = known.confirmed.map_or(known.open_at, |_| known.last.max(known.open_at));
                known.over.get_or_insert((since, to));
            }
        }
        known.last = known.last.max(from);
        complaint
    }

    /// Turns what was seen of orders into deeds on their seats.
    fn write_down_orders(&mut self) {
        let orders = std::mem::take(&mut self.orders);
        for (order, (key, seen)) in (0..).zip(&orders) {
            let event = key.split(' ').next().unwrap_or_default().to_owned();
            let hold = number(&mut self.holds, &seen.hold);
            let paid_unseen = seen.confirmed.is_none()
                && matches!(seen.status.as_str(), "cancelled" | "refunding" | "refunded");
            for seat in &seen.seats {
                self.deed(&event, seat, seen.asked, seen.known, What::Claimed { order, hold });
                for &(from, to) in &seen.lapses {
                    self.deed(&event, seat, from.max(seen.asked), to, What::Left { order });
                }
                if let Some((from, to)) = seen.confirmed {
                    self.deed(&event, seat, from.max(seen.asked), to, What::Sold { order, hold });
                }
                // It may have had its seats for good between two looks.
                if paid_unseen {
                    self.deed(&event, seat, seen.asked, NEVER, What::Sold { order, hold });
                }
                if let Some((from, to)) = seen.over {
                    self.deed(&event, seat, from.max(seen.asked), to, What::Left { order });
                }
            }
        }
        self.orders = orders;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat() -> Vec<String> {
        vec!["stalls-1-1".to_owned()]
    }

    #[test]
    fn a_look_speaks_of_now_only_when_all_is_calm() {
        let mut inner = Inner::default();
        assert_eq!(inner.recent(20_000), None, "there is trouble");
        inner.calm_since = Some(16_000);
        assert_eq!(inner.recent(20_000), None, "it may be old news of the trouble");
        assert_eq!(inner.recent(21_000), Some(16_000));
    }

    #[test]
    fn what_nobody_ever_bought_is_not_sold_whatever_is_wrong() {
        let history = History::new();
        history.seen_gone("event", &seat(), 0);
        assert_eq!(history.verdict().len(), 1);
    }

    #[test]
    fn a_block_is_shown_before_postgres_refuses_it() {
        let history = History::new();
        let order = serde_json::json!({ "id": "order", "event_id": "event", "hold_id": "hold", "amount": 4800,
            "status": "awaiting_payment", "seats": [{ "id": "stalls-1-1" }] });
        history.order_seen(&order, 0, 0);
        history.blocked("event", &seat()[0], 0, NEVER, true);
        history.seen_gone("event", &seat(), 0);
        assert_eq!(history.verdict(), Vec::<String>::new());
    }

    #[test]
    fn an_order_may_have_been_paid_between_two_looks() {
        let history = History::new();
        let order = serde_json::json!({ "id": "order", "event_id": "event", "hold_id": "hold", "amount": 4800,
            "status": "refunded", "seats": [{ "id": "stalls-1-1" }] });
        history.order_seen(&order, 0, 0);
        history.seen_gone("event", &seat(), 0);
        assert_eq!(history.verdict(), Vec::<String>::new());
    }
}
