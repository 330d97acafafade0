//! Whatever customers, operators and time do, Redis and a plain model agree on every answer, every bit, every
//! flag, every count and every change in the feed. On one node and on a Cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast::ids::{AccountId, EventId, HoldId, OrderId};
use holdfast::seats::keys::Keys;
use holdfast::seats::{
    Asker, Claimed, HoldAsk, HoldRefusal, OfferAsk, Offered, Passed, Pinned, Places, Released, Repair, Rules,
    SeatsError, Truth as EngineTruth, Via, Wish as EngineWish,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use redis::Value;
use uuid::Uuid;

use crate::seats_model::{Id, Model, Seat, Truth, What, Wish, said};
use crate::seats_support::{House, open_rules};

/// Three rows, one of them short, and a standing area.
const ROWS: [u32; 4] = [7, 5, 3, 8];
const STANDING: (u32, u32) = (18, 26);
const RUNS: [(u32, u32); 4] = [(0, 7), (8, 13), (14, 17), (2, 5)];
const LONG: Duration = Duration::from_mins(15);

#[derive(Debug, Clone)]
enum Op {
    Hold {
        owner: Id,
        wish: What,
        replaces: Option<Id>,
    },
    Again {
        hold: Id,
        owner: Option<Id>,
        other_wish: bool,
    },
    Pin {
        hold: Id,
        owner: Option<Id>,
        order: Option<Id>,
    },
    Claim {
        hold: Id,
        owner: Option<Id>,
        seats: Option<BTreeSet<u32>>,
    },
    Sell {
        hold: Id,
        seats: Option<BTreeSet<u32>>,
    },
    Release {
        hold: Id,
        owner: Option<Id>,
        by_order: bool,
    },
    Free {
        hold: Id,
    },
    Block(BTreeSet<u32>),
    Unblock(BTreeSet<u32>),
    Repair {
        ordinal: u32,
        seen: bool,
        truth: u8,
        hold: Id,
    },
    Lapse(Id),
    MakeDue(Id),
    /// A flag of the hold is lost, as in a failover.
    Lose(Id),
    /// Somebody takes a seat whose flag is gone before any sweep has been there.
    TakeOver {
        owner: Id,
    },
    Sweep,
    Configure {
        orphan_rule: bool,
        limit: Option<u32>,
        closed: bool,
    },
    /// A party joins the waiting list.
    Wait,
    /// Nobody on the list can use what is kept, or nobody is on it any more.
    LetGo {
        end: bool,
    },
    Offer {
        owner: Id,
        runs: BTreeSet<usize>,
        quantity: u32,
    },
}

fn some_seats(most: usize) -> impl Strategy<Value = BTreeSet<u32>> {
    let ordinal = prop_oneof![0..7u32, 8..13u32, 14..17u32, STANDING.0..STANDING.1];
    btree_set(ordinal, 1..=most)
}

fn a_wish() -> impl Strategy<Value = What> {
    let seats = btree_set(prop_oneof![0..7u32, 8..13u32, 14..17u32], 1..4);
    let named = (seats, btree_set(STANDING.0..STANDING.1, 0..2)).prop_map(|(seats, places)| What::Seats {
        seats,
        places,
        areas: vec![],
    });
    // The named places are those that an area would pick first, so that the two often meet.
    let mixed = (btree_set(0..7u32, 0..2), btree_set(STANDING.0..STANDING.0 + 3, 0..3), 1..4u32).prop_map(
        |(seats, places, quantity)| What::Seats {
            seats,
            places,
            areas: vec![(STANDING.0, STANDING.1, quantity)],
        },
    );
    let best = (btree_set(0..RUNS.len(), 1..=RUNS.len()), 1..5u32).prop_map(|(runs, quantity)| What::Best {
        runs: runs.into_iter().map(|run| RUNS[run]).collect(),
        quantity,
    });
    prop_oneof![4 => named, 3 => mixed, 3 => best]
}

/// Mostly nothing unusual: another customer or order than the hold's own is the rare case.
fn seldom(values: std::ops::Range<Id>) -> impl Strategy<Value = Option<Id>> {
    prop_oneof![6 => Just(None), 1 => values.prop_map(Some)]
}

fn an_op() -> impl Strategy<Value = Op> {
    let hold = 0..12usize;
    let replaces = prop_oneof![2 => Just(None), 1 => hold.clone().prop_map(Some)];
    let maybe_seats = || prop_oneof![4 => Just(None), 1 => some_seats(3).prop_map(Some)];
    prop_oneof![
        10 => (0..3usize, a_wish(), replaces).prop_map(|(owner, wish, replaces)| Op::Hold { owner, wish, replaces }),
        2 => (hold.clone(), seldom(0..3), any::<bool>())
            .prop_map(|(hold, owner, other_wish)| Op::Again { hold, owner, other_wish }),
        2 => (hold.clone(), seldom(0..3), seldom(0..12)).prop_map(|(hold, owner, order)| Op::Pin { hold, owner, order }),
        2 => (hold.clone(), seldom(0..3), maybe_seats())
            .prop_map(|(hold, owner, seats)| Op::Claim { hold, owner, seats }),
        2 => (hold.clone(), maybe_seats()).prop_map(|(hold, seats)| Op::Sell { hold, seats }),
        3 => (hold.clone(), seldom(0..3), any::<bool>())
            .prop_map(|(hold, owner, by_order)| Op::Release { hold, owner, by_order }),
        1 => hold.clone().prop_map(|hold| Op::Free { hold }),
        1 => some_seats(3).prop_map(Op::Block),
        1 => some_seats(3).prop_map(Op::Unblock),
        2 => (some_seats(1), prop::bool::weighted(0.85), 0..4u8, hold.clone()).prop_map(|(seats, seen, truth, hold)| {
            Op::Repair { ordinal: seats.into_iter().next().unwrap_or(0), seen, truth, hold }
        }),
        3 => hold.clone().prop_map(Op::Lapse),
        1 => hold.clone().prop_map(Op::MakeDue),
        2 => hold.prop_map(Op::Lose),
        3 => (0..3usize).prop_map(|owner| Op::TakeOver { owner }),
        2 => Just(Op::Sweep),
        1 => (any::<bool>(), prop_oneof![Just(None), (2..9u32).prop_map(Some)], prop::bool::weighted(0.1))
            .prop_map(|(orphan_rule, limit, closed)| Op::Configure { orphan_rule, limit, closed }),
        2 => Just(Op::Wait),
        1 => any::<bool>().prop_map(|end| Op::LetGo { end }),
        3 => (0..3usize, btree_set(0..RUNS.len(), 1..=RUNS.len()), 1..4u32)
            .prop_map(|(owner, runs, quantity)| Op::Offer { owner, runs, quantity }),
    ]
}

/// The model and the engine side by side, and who is who.
struct Pair {
    house: House,
    event: EventId,
    model: Model,
    owners: Vec<AccountId>,
    orders: Vec<OrderId>,
    holds: Vec<(HoldId, Id, Wish)>,
    /// The planes as somebody sees them who knows only the feed.
    told: BTreeMap<u32, &'static str>,
    last: String,
}

impl Pair {
    async fn new(house: &House) -> Self {
        Self {
            event: house.event(&ROWS, &open_rules()).await,
            house: house.clone(),
            model: Model::new(&ROWS),
            owners: (0..3).map(|_| AccountId::new()).collect(),
            orders: (0..64).map(|_| OrderId::new()).collect(),
            holds: Vec::new(),
            told: BTreeMap::new(),
            last: "0-0".into(),
        }
    }

    fn ordinals(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.model.seats.len()).unwrap()
    }

    fn wish(&self, wish: &Wish) -> (EngineWish, Option<HoldId>) {
        let what = match &wish.what {
            What::Seats { seats, places, areas } => EngineWish::Wanted {
                seats: seats.iter().rev().copied().collect(),
                places: places.iter().copied().collect(),
                areas: areas.iter().map(|&(from, to, quantity)| (from..to, quantity)).collect(),
            },
            What::Best { runs, quantity } => EngineWish::Best {
                runs: runs.iter().map(|&(from, to)| from..to).collect(),
                quantity: *quantity,
            },
        };
        (what, wish.replaces.map(|old| self.holds[old].0))
    }

    async fn asks(&mut self, id: Id, owner: Id, wish: &Wish) -> (String, String) {
        let (what, replaces) = self.wish(wish);
        let ask = HoldAsk {
            hold: self.holds[id].0,
            event: self.event,
            owner: self.owners[owner],
            what,
            replaces,
            via: Via::Public,
        };
        let answer = match self.house.engine.hold(&ask).await {
            Ok(held) => said("held", held.ordinals.into_iter().collect::<BTreeSet<_>>()),
            Err(SeatsError::Refused(refusal)) => match refusal {
                HoldRefusal::Seats(seats) => {
                    let seats: BTreeMap<u32, &str> =
                        seats.into_iter().map(|(seat, reason)| (seat, reason.as_str())).collect();
                    said("refused", seats)
                }
                HoldRefusal::SoldOut { free } => said("sold out", free),
                HoldRefusal::NoAdjacent { free } => said("no adjacent", free),
                HoldRefusal::Limit { limit, held } => said("limit", (Some(limit), held)),
                HoldRefusal::SaleClosed { .. } => "closed".into(),
                HoldRefusal::NotAdmitted => "not admitted".into(),
                HoldRefusal::Expired => "expired".into(),
                HoldRefusal::Mismatch => "mismatch".into(),
            },
            Err(other) => self.error(other),
        };
        (answer, self.model.hold(id, owner, wish))
    }

    fn order_number(&self, order: OrderId) -> Option<Id> {
        self.orders.iter().position(|known| *known == order)
    }

    fn error(&self, error: SeatsError) -> String {
        match error {
            SeatsError::NotYours => "not yours".into(),
            SeatsError::InCheckout(order) => said("in checkout", self.order_number(order)),
            other => panic!("{other}"),
        }
    }

    /// Does one thing on both sides; `None` when there is nothing to do it to.
    #[expect(clippy::too_many_lines, reason = "a table of what can be done")]
    async fn does(&mut self, op: &Op) -> Option<(String, String)> {
        let count = self.holds.len();
        let pick = |hold: Id| (count > 0).then(|| hold % count);
        let engine = self.house.engine.clone();
        let event = self.event;
        Some(match op {
            Op::Hold { owner, wish, replaces } => {
                let wish = Wish { what: wish.clone(), replaces: replaces.and_then(pick) };
                self.holds.push((HoldId::of(1, Uuid::new_v4()), *owner, wish.clone()));
                self.asks(count, *owner, &wish).await
            }
            Op::Again { hold, owner, other_wish } => {
                let id = pick(*hold)?;
                let (_, own, mut wish) = self.holds[id].clone();
                if *other_wish {
                    wish.what = What::Best { runs: vec![(0, 7)], quantity: 7 };
                }
                self.asks(id, owner.unwrap_or(own), &wish).await
            }
            Op::Pin { hold, owner, order } => {
                let id = pick(*hold)?;
                let (owner, order) = (owner.unwrap_or(self.holds[id].1), order.unwrap_or(id));
                let (hold, account) = (self.holds[id].0, self.owners[owner]);
                let answer = match engine.pin(event, hold, account, self.orders[order], LONG, false).await {
                    Ok(Pinned::Until(_)) => "pinned".into(),
                    Ok(Pinned::Gone) => "gone".into(),
                    Err(other) => self.error(other),
                };
                (answer, self.model.pin(id, owner, order))
            }
            Op::Claim { hold, owner, seats } => {
                let id = pick(*hold)?;
                let owner = owner.unwrap_or(self.holds[id].1);
                let seats = seats.clone().or_else(|| Some(self.model.holds.get(&id)?.seats.clone()))?;
                let ordinals: Vec<u32> = seats.iter().copied().collect();
                let (hold, account) = (self.holds[id].0, self.owners[owner]);
                let answer = match engine.claim(event, self.orders[id], hold, account, &ordinals, LONG).await
                {
                    Ok(Claimed::Kept) => "kept".into(),
                    Ok(Claimed::TakenAgain) => "taken again".into(),
                    Ok(Claimed::Lost(seats)) => said("lost", seats.into_iter().collect::<BTreeSet<_>>()),
                    Err(other) => self.error(other),
                };
                (answer, self.model.claim(id, id, owner, &seats))
            }
            Op::Sell { hold, seats } => {
                let id = pick(*hold)?;
                let owner = self.holds[id].1;
                let seats = seats.clone().or_else(|| Some(self.model.holds.get(&id)?.seats.clone()))?;
                let ordinals: Vec<u32> = seats.iter().copied().collect();
                let (hold, account) = (self.holds[id].0, self.owners[owner]);
                let sold = engine.sell(event, (self.orders[id], 1), hold, account, &ordinals).await.unwrap();
                (said("sold", sold), self.model.sell(id, id, owner, &seats))
            }
            Op::Release { hold, owner, by_order } => {
                let id = pick(*hold)?;
                let owner = owner.unwrap_or(self.holds[id].1);
                let by =
                    if *by_order { Asker::Order(self.orders[id]) } else { Asker::Owner(self.owners[owner]) };
                let answer = match engine.release(event, self.holds[id].0, by).await {
                    Ok(Released::Seats(freed)) => said("released", freed),
                    Ok(Released::Already) => "already".into(),
                    Ok(Released::InCheckout(order)) => said("in checkout", self.order_number(order)),
                    Err(other) => self.error(other),
                };
                (answer, self.model.release(id, owner, by_order.then_some(id)))
            }
            Op::Free { hold } => {
                let id = pick(*hold)?;
                let sold = |seat: &u32| self.model.seats[*seat as usize] == Seat::Sold(id);
                let seats: BTreeSet<u32> = self.ordinals().filter(sold).chain([0]).collect();
                let ordinals: Vec<u32> = seats.iter().copied().collect();
                let owner = self.holds[id].1;
                let freed =
                    engine.free(event, (self.orders[id], 1), self.owners[owner], &ordinals).await.unwrap();
                (said("freed", freed), self.model.free(id, owner, &seats))
            }
            Op::Block(seats) => {
                let refused = engine.block(event, &seats.iter().copied().collect::<Vec<_>>()).await.unwrap();
                let refused: BTreeMap<u32, &str> =
                    refused.into_iter().map(|(seat, reason)| (seat, reason.as_str())).collect();
                (said("block", refused), self.model.block(seats))
            }
            Op::Unblock(seats) => {
                let freed = engine.unblock(event, &seats.iter().copied().collect::<Vec<_>>()).await.unwrap();
                (said("unblocked", freed), self.model.unblock(seats))
            }
            Op::Repair { ordinal, seen, truth, hold } => {
                let id = pick(*hold)?;
                let flag = engine.flags(event, &[*ordinal]).await.unwrap().remove(0);
                let (owner, order) = (self.holds[id].1, self.orders[id]);
                let (account, hold) = (self.owners[owner], self.holds[id].0);
                let (truth, plain) = match truth {
                    0 => (EngineTruth::Free, Truth::Free),
                    1 => (EngineTruth::Blocked, Truth::Blocked),
                    2 => (EngineTruth::Sold { order, owner: account }, Truth::Sold { order: id, owner }),
                    _ => (
                        EngineTruth::Held { order: Some(order), hold, owner: account, ttl: LONG },
                        Truth::Held { hold: id },
                    ),
                };
                // Whose purchase the flag shows, as Postgres knows of every order.
                let buyer = match self.model.at(*ordinal) {
                    Seat::Sold(order) => Some(self.holds[order].1),
                    _ => None,
                };
                let repair = Repair {
                    ordinal: *ordinal,
                    buyer: buyer.map(|buyer| self.owners[buyer]),
                    seen: if *seen { flag } else { Some("somebody".into()) },
                    truth,
                };
                let repaired = engine.repair(event, &[repair]).await.unwrap().seats;
                (said("repaired", repaired), self.model.repair((*ordinal, buyer), *seen, plain, id, owner))
            }
            Op::Lapse(hold) => {
                let id = pick(*hold)?;
                self.model.holds.get(&id)?;
                self.house.lapse(event, self.holds[id].0).await;
                self.model.lapse(id);
                (String::new(), String::new())
            }
            Op::MakeDue(hold) => {
                let id = pick(*hold)?;
                self.house.make_due(event, self.holds[id].0).await;
                self.model.make_due(id);
                (String::new(), String::new())
            }
            Op::Lose(hold) => {
                let id = pick(*hold)?;
                let seats = &self.model.holds.get(&id)?.seats;
                let ordinal =
                    seats.iter().copied().find(|&seat| self.model.seats[seat as usize] == Seat::Held(id))?;
                let flag = Keys::of(event).flag(ordinal);
                let _: i64 = self.house.ask(redis::cmd("DEL").arg(flag)).await;
                self.model.lose(ordinal);
                (String::new(), String::new())
            }
            Op::TakeOver { owner } => {
                let lapsed = self.model.seats.iter().position(|seat| *seat == Seat::Lapsed)?;
                let seats = BTreeSet::from([u32::try_from(lapsed).unwrap()]);
                let what = What::Seats { seats, places: BTreeSet::new(), areas: vec![] };
                let wish = Wish { what, replaces: None };
                self.holds.push((HoldId::of(1, Uuid::new_v4()), *owner, wish.clone()));
                self.asks(count, *owner, &wish).await
            }
            Op::Sweep => {
                let swept = engine.sweep(event).await.unwrap();
                let id = |hold: HoldId| self.holds.iter().position(|(known, ..)| *known == hold).unwrap();
                let holds: BTreeSet<Id> = swept.holds.into_iter().map(id).collect();
                let freed: BTreeSet<u32> = swept.freed.into_iter().collect();
                (said("swept", (holds, freed)), self.model.sweep())
            }
            Op::Configure { orphan_rule, limit, closed } => {
                let rules = Rules {
                    max_per_customer: *limit,
                    orphan_rule: *orphan_rule,
                    closed: *closed,
                    ..open_rules()
                };
                engine.configure(event, &rules).await.unwrap();
                let model = &mut self.model;
                (model.orphan_rule, model.limit, model.closed) = (*orphan_rule, *limit, *closed);
                (String::new(), String::new())
            }
            Op::Wait => {
                engine.begin_waiting(event).await.unwrap();
                self.model.begin_waiting();
                (String::new(), String::new())
            }
            Op::LetGo { end } => {
                let news = engine.news(event).await.unwrap();
                let let_go = if *end {
                    engine.end_waiting(event, news).await.unwrap()
                } else {
                    engine.pass_on(event, news).await.unwrap()
                };
                let Passed::Seats(seats) = let_go else { panic!("nothing has happened in between") };
                (said("let go", seats), self.model.let_go(*end))
            }
            Op::Offer { owner, runs, quantity } => {
                let runs: Vec<_> = runs.iter().map(|&run| RUNS[run]).collect();
                let offer = HoldId::of(1, Uuid::new_v4());
                // Asked again as an ordinary hold, it is another wish.
                let never = Wish { what: What::Best { runs: vec![(0, 7)], quantity: 7 }, replaces: None };
                self.holds.push((offer, *owner, never));
                let ask = OfferAsk {
                    hold: offer,
                    event,
                    owner: self.owners[*owner],
                    quantity: *quantity,
                    places: Places::Seats(runs.iter().map(|&(from, to)| from..to).collect()),
                    news: engine.news(event).await.unwrap(),
                    lasts: LONG,
                };
                let answer = match engine.offer(&ask).await.unwrap() {
                    Offered::Held(held) => said("held", held.ordinals.into_iter().collect::<BTreeSet<_>>()),
                    Offered::Nothing => "nothing".into(),
                    Offered::Limit => "limit".into(),
                    Offered::Closed => "closed".into(),
                    Offered::Changed => "changed".into(),
                    Offered::Over => "over".into(),
                };
                (answer, self.model.offer(count, *owner, &runs, *quantity))
            }
        })
    }

    /// Everything that Redis has of the event, against the model.
    async fn agrees(&mut self) -> Result<(), TestCaseError> {
        let planes = self.house.engine.snapshot(self.event).await.unwrap();
        let bit = |plane: &[u8], at: usize| plane[at / 8] & (0x80 >> (at % 8)) != 0;
        let seats: Vec<u32> = self.ordinals().collect();
        let flags = self.house.engine.flags(self.event, &seats).await.unwrap();
        self.listen().await;
        for (ordinal, seat) in self.ordinals().zip(&self.model.seats) {
            let at = ordinal as usize;
            let (bits, flag, told) = match seat {
                Seat::Free => ([false, false, false], None, "free"),
                Seat::Aisle => ([true, true, false], None, "free"),
                Seat::Held(id) => ([true, false, false], Some(self.holds[*id].0.to_string()), "held"),
                Seat::Lapsed | Seat::Kept => ([true, false, false], None, "held"),
                Seat::Sold(id) => ([true, true, false], Some(format!("sold:{}", self.orders[*id])), "sold"),
                Seat::Blocked => ([true, true, true], Some("blocked".into()), "blocked"),
            };
            let found = [bit(&planes.taken, at), bit(&planes.sold, at), bit(&planes.blocked, at)];
            prop_assert_eq!(found, bits, "the planes of seat {} that is {:?}", at, seat);
            prop_assert_eq!(&flags[at], &flag, "the flag of seat {} that is {:?}", at, seat);
            let heard = self.told.get(&ordinal).copied().unwrap_or("free");
            prop_assert_eq!(heard, told, "what the feed told of seat {} that is {:?}", at, seat);
        }
        let [.., kept, deadlines, owners, _, _] = Keys::of(self.event).shared();
        let kept: Vec<u8> = self.house.ask(redis::cmd("GET").arg(kept)).await;
        for (at, seat) in self.model.seats.iter().enumerate() {
            let is_kept = kept.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
            prop_assert_eq!(is_kept, *seat == Seat::Kept, "whether seat {} that is {:?} is kept", at, seat);
        }
        let mut counts: BTreeMap<String, i64> = self.house.ask(redis::cmd("HGETALL").arg(owners)).await;
        prop_assert_eq!(counts.remove("nobody"), Some(0), "the key is the one that was loaded");
        let expected: BTreeMap<String, i64> =
            self.model.owners.iter().map(|(&owner, &has)| (self.owners[owner].to_string(), has)).collect();
        prop_assert_eq!(counts, expected, "what customers hold and have bought");
        let waiting: BTreeSet<String> =
            self.house.ask(redis::cmd("ZRANGE").arg(deadlines).arg(0).arg(-1)).await;
        let live = self.model.holds.iter().filter(|(_, hold)| hold.live);
        let live: BTreeSet<String> = live.map(|(&id, _)| self.holds[id].0.to_string()).collect();
        prop_assert_eq!(waiting, live, "the holds that a sweep will look at");
        Ok(())
    }

    /// Reads on in the feed.
    async fn listen(&mut self) {
        let feed = Keys::of(self.event).feed();
        let from = format!("({}", self.last);
        let rows: Vec<(String, Vec<(String, Value)>)> =
            self.house.ask(redis::cmd("XRANGE").arg(feed).arg(from).arg("+")).await;
        for (id, fields) in rows {
            for state in ["free", "held", "sold", "blocked"] {
                let found = fields.iter().filter(|(name, _)| name == state);
                for (_, ordinals) in found {
                    let ordinals: String = redis::from_redis_value_ref(ordinals).unwrap();
                    let ordinals = ordinals.split(',').filter(|text| !text.is_empty());
                    self.told.extend(ordinals.map(|text| (text.parse::<u32>().unwrap(), state)));
                }
            }
            self.last = id;
        }
    }
}

fn they_agree(house: &House, runtime: &tokio::runtime::Runtime, cases: u32) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    });
    let outcome = runner.run(&vec(an_op(), 1..50), |ops| {
        runtime.block_on(async {
            let mut pair = Pair::new(house).await;
            for op in &ops {
                if let Some((engine, model)) = pair.does(op).await {
                    prop_assert_eq!(engine, model, "{:?}", op);
                    pair.agrees().await?;
                }
            }
            Ok(())
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn seats_agree_with_a_model_on_one_node() {
    let runtime = runtime();
    let house = runtime.block_on(House::single());
    they_agree(&house, &runtime, 150);
}

#[test]
fn seats_agree_with_a_model_on_a_cluster() {
    let runtime = runtime();
    let house = runtime.block_on(House::cluster());
    they_agree(&house, &runtime, 60);
}
