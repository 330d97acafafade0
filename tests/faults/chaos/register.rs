//! Each seat as a register, and whether one order of all that was seen of it makes sense.
//!
//! What somebody did has a beginning and an answer; it happened at one moment between the two. An answer that never
//! came leaves it open: it happened at any later moment, or never. A history is right when moments can be found for
//! all of it such that the register allows each. That is searched for, not guessed.
//!
//! What somebody was shown is placed as well: it was so at one moment between the earliest that it may speak of and its
//! answer. Only sold and free are asked for. A seat shown or refused as held may be so for somebody whose own answer was
//! lost, or for the waiting list, and no history can say that it is not.

use std::collections::HashSet;
use std::hash::Hash;

/// Milliseconds since the storm began.
pub type At = u64;
/// Of an answer that never came.
pub const NEVER: At = At::MAX;

/// Something that happened to one seat between two moments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deed {
    pub from: At,
    pub to: At,
    pub what: What,
}

impl Deed {
    /// Whether it is about this hold.
    pub fn is_of(&self, number: u32) -> bool {
        match self.what {
            What::Held { hold, .. }
            | What::LetGo { hold }
            | What::Claimed { hold, .. }
            | What::Sold { hold, .. } => hold == number,
            What::Left { .. } | What::Blocked | What::Unblocked | What::SeenGone | What::SeenFree => false,
        }
    }
}

/// What can happen to a seat. Holds and orders are numbered, to be quick to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A hold was granted, which ends by itself then.
    Held {
        hold: u32,
        until: At,
    },
    /// Its owner gave it back, or swapped it for another.
    LetGo {
        hold: u32,
    },
    /// An order has claimed the seat, which it came to by a hold.
    Claimed {
        order: u32,
        hold: u32,
    },
    /// An order has it for good.
    Sold {
        order: u32,
        hold: u32,
    },
    /// An order does not have it any more.
    Left {
        order: u32,
    },
    Blocked,
    Unblocked,
    /// Somebody was told that it is sold, or blocked.
    SeenGone,
    /// Somebody was shown it free.
    SeenFree,
}

impl What {
    /// Whether it changes nothing.
    fn is_a_look(self) -> bool {
        matches!(self, Self::SeenGone | Self::SeenFree)
    }
}

/// When Redis may not know what is decided.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// It may have lost what it was told.
    pub lost: Vec<(At, At)>,
    /// Whoever was to tell it could not.
    pub untold: Vec<(At, At)>,
}

fn touches(all: &[(At, At)], from: At, to: At) -> bool {
    all.iter().any(|&(begun, over)| from <= over && begun <= to)
}

impl Losses {
    fn touch(&self, from: At, to: At) -> bool {
        touches(&self.lost, from, to)
    }
}

/// What Postgres says of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owned {
    Free,
    Claimed(u32),
    Sold(u32),
    Blocked,
}

/// A seat in both stores: Postgres decides, Redis keeps a hold apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Seat {
    owned: Owned,
    /// Who holds it, since when, and until when.
    held: Option<(u32, At, At)>,
}

/// What is known of the hold that an order came to a seat by.
#[derive(Debug, Clone, Copy)]
enum Own {
    /// Nobody saw it granted.
    Unseen,
    /// It comes later than this, if things went in this order.
    NotYet,
    Granted {
        since: At,
        until: At,
    },
}

/// Clocks are read by two processes, and a flag goes within a second of its time.
const SLACK: At = 1000;

impl Seat {
    const FREE: Self = Self { owned: Owned::Free, held: None };

    /// What becomes of the seat, or nothing when it cannot be.
    fn after(self, deed: &Deed, own: Own, losses: &Losses) -> Option<Self> {
        let lossy = losses.touch(deed.from, deed.to);
        match deed.what {
            What::Held { hold, until } => {
                // A Redis that lost what it was told may grant what Postgres will refuse at the checkout. So may one that could
                // not be told of a checkout, once the hold that was checked out has run out.
                let forgot = match own {
                    Own::Granted { since, .. } => {
                        own.may_be_gone(deed, losses) && touches(&losses.untold, since, deed.to)
                    }
                    Own::Unseen | Own::NotYet => false,
                };
                let free = self.owned == Owned::Free || lossy || forgot;
                (free && !self.is_held_from(hold, deed, losses))
                    .then_some(Self { held: Some((hold, deed.from, until)), ..self })
            }
            What::LetGo { hold } => match self.held {
                Some((other, ..)) if other == hold => Some(Self { held: None, ..self }),
                // It had run out, or was lost, and somebody else may have come.
                _ => Some(self),
            },
            What::Claimed { order, hold } => match self.owned {
                // The checkout may have begun while its own hold stood, and committed when that had run out and somebody
                // else had come: Postgres decides, and the other is refused at the checkout.
                Owned::Free if self.is_held_from(hold, deed, losses) && !own.may_be_gone(deed, losses) => {
                    None
                }
                Owned::Free => Some(Self { owned: Owned::Claimed(order), ..self }),
                Owned::Claimed(own) | Owned::Sold(own) if own == order => Some(self),
                Owned::Claimed(_) | Owned::Sold(_) | Owned::Blocked => None,
            },
            What::Sold { order, hold } => match self.owned {
                // A late payment takes the seat again where nobody has it.
                Owned::Free if self.is_held_from(hold, deed, losses) => None,
                Owned::Free => Some(Self { owned: Owned::Sold(order), held: None }),
                Owned::Claimed(own) | Owned::Sold(own) if own == order => {
                    Some(Self { owned: Owned::Sold(order), held: None })
                }
                Owned::Claimed(_) | Owned::Sold(_) | Owned::Blocked => None,
            },
            What::Left { order } => match self.owned {
                Owned::Claimed(own) | Owned::Sold(own) if own == order => Some(Self::FREE),
                // It was not its own any more.
                _ => Some(self),
            },
            What::Blocked => match self.owned {
                Owned::Free | Owned::Blocked => Some(Self { owned: Owned::Blocked, ..self }),
                Owned::Claimed(_) | Owned::Sold(_) => None,
            },
            What::Unblocked => match self.owned {
                Owned::Blocked => Some(Self { owned: Owned::Free, ..self }),
                Owned::Free | Owned::Claimed(_) | Owned::Sold(_) => Some(self),
            },
            What::SeenGone => matches!(self.owned, Owned::Sold(_) | Owned::Blocked).then_some(self),
            What::SeenFree => matches!(self.owned, Owned::Free | Owned::Claimed(_)).then_some(self),
        }
    }

    /// Whether somebody else's hold is in the way of this one: it has not run out by then, and was not lost.
    fn is_held_from(self, hold: u32, deed: &Deed, losses: &Losses) -> bool {
        self.held.is_some_and(|(other, since, ends)| {
            other != hold && deed.to.saturating_add(SLACK) < ends && !losses.touch(since, deed.to)
        })
    }
}

impl Own {
    /// Whether it can have stood once and be gone by now, so that its seat could be granted to another.
    fn may_be_gone(self, deed: &Deed, losses: &Losses) -> bool {
        match self {
            Self::Unseen => true,
            Self::NotYet => false,
            Self::Granted { since, until } => {
                deed.to.saturating_add(SLACK) >= until || losses.touch(since, deed.to)
            }
        }
    }
}

/// Moments for everything that was seen of one seat; or, when there are none, the deeds that cannot be placed.
pub fn explain(mut deeds: Vec<Deed>, losses: &Losses) -> Result<(), Vec<Deed>> {
    deeds.sort_by_key(|deed| (deed.from, deed.to));
    let search = Search { deeds: &deeds, losses };
    let mut seen = HashSet::new();
    let mut stack = vec![(Placed::none(deeds.len()), Seat::FREE)];
    let mut furthest = Placed::none(deeds.len());
    while let Some((mut placed, seat)) = stack.pop() {
        search.places_looks(&mut placed, seat);
        if search.is_done(&placed) {
            return Ok(());
        }
        if placed.count() > furthest.count() {
            furthest = placed.clone();
        }
        if !seen.insert((placed.clone(), seat)) {
            continue;
        }
        search.next(&placed, seat, &mut stack);
    }
    let left = deeds.iter().enumerate().filter(|(at, _)| !furthest.has(*at)).map(|(_, deed)| deed.clone());
    Err(left.take(6).collect())
}

/// Which deeds have their moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Placed(Vec<u64>);

impl Placed {
    fn none(of: usize) -> Self {
        Self(vec![0; of.div_ceil(64)])
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    fn with(&self, at: usize) -> Self {
        let mut more = self.clone();
        more.0[at / 64] |= 1 << (at % 64);
        more
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

struct Search<'a> {
    deeds: &'a [Deed],
    losses: &'a Losses,
}

impl Search<'_> {
    /// Whether nothing is left but what may never have happened.
    fn is_done(&self, placed: &Placed) -> bool {
        self.deeds.iter().enumerate().all(|(at, deed)| placed.has(at) || deed.to == NEVER)
    }

    fn left<'p>(&'p self, placed: &'p Placed) -> impl Iterator<Item = (usize, &'p Deed)> {
        self.deeds.iter().enumerate().filter(|(at, _)| !placed.has(*at))
    }

    /// Whatever comes next began before this: everything else that is left is answered later.
    fn soonest(&self, placed: &Placed) -> At {
        self.left(placed).map(|(_, deed)| deed.to).min().unwrap_or(NEVER)
    }

    /// A look changes nothing, so the first moment that suits it is as good as any other.
    fn places_looks(&self, placed: &mut Placed, seat: Seat) {
        loop {
            let soonest = self.soonest(placed);
            let fits = |deed: &Deed| {
                deed.what.is_a_look()
                    && deed.from <= soonest
                    && seat.after(deed, Own::Unseen, self.losses).is_some()
            };
            let Some(at) = self.left(placed).find(|(_, deed)| fits(deed)).map(|(at, _)| at) else { return };
            *placed = placed.with(at);
        }
    }

    /// What may come next.
    fn next(&self, placed: &Placed, seat: Seat, stack: &mut Vec<(Placed, Seat)>) {
        let soonest = self.soonest(placed);
        // The earliest is tried first, so it goes onto the stack last.
        let mut next: Vec<_> = self
            .left(placed)
            .filter(|(_, deed)| !deed.what.is_a_look() && deed.from <= soonest)
            .filter_map(|(at, deed)| {
                Some((placed.with(at), seat.after(deed, self.own(placed, seat, deed), self.losses)?))
            })
            .collect();
        next.reverse();
        stack.append(&mut next);
    }

    /// The hold by which the deed's order came to the seat; of a grant, that of the order which may be paid for it.
    fn own(&self, placed: &Placed, seat: Seat, deed: &Deed) -> Own {
        let claimed = |claim: &Deed| match (claim.what, seat.owned) {
            (What::Claimed { order, hold }, Owned::Claimed(owner)) if order == owner => Some(hold),
            _ => None,
        };
        let hold = match deed.what {
            What::Claimed { hold, .. } | What::Sold { hold, .. } => Some(hold),
            What::Held { .. } => self.deeds.iter().find_map(claimed),
            _ => None,
        };
        let Some(hold) = hold else { return Own::Unseen };
        let mut own = Own::Unseen;
        for (at, other) in self.deeds.iter().enumerate() {
            match other.what {
                What::Held { hold: granted, until } if granted == hold && placed.has(at) => {
                    return Own::Granted { since: other.from, until };
                }
                What::Held { hold: granted, .. } if granted == hold => own = Own::NotYet,
                _ => {}
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(from: At, to: At, what: What) -> Deed {
        Deed { from, to, what }
    }

    fn held(from: At, to: At, hold: u32, until: At) -> Deed {
        deed(from, to, What::Held { hold, until })
    }

    fn lost(from: At, to: At) -> Losses {
        Losses { lost: vec![(from, to)], untold: vec![] }
    }

    #[test]
    fn a_sale_and_a_refund_and_a_sale_make_sense() {
        let history = vec![
            held(0, 10, 1, 5000),
            deed(10, 30, What::Claimed { order: 1, hold: 1 }),
            deed(10, 90, What::Sold { order: 1, hold: 1 }),
            deed(100, 200, What::Left { order: 1 }),
            held(150, 260, 2, 9000),
            deed(270, 280, What::Claimed { order: 2, hold: 2 }),
            deed(280, 300, What::Sold { order: 2, hold: 2 }),
        ];
        assert_eq!(explain(history, &Losses::default()), Ok(()));
    }

    #[test]
    fn two_who_hold_at_once_make_none() {
        let history = vec![held(0, 10, 1, 9000), held(20, 30, 2, 9000)];
        assert!(explain(history.clone(), &Losses::default()).is_err());
        assert_eq!(explain(history, &lost(12, 15)), Ok(()), "unless Redis lost the first");
    }

    #[test]
    fn a_hold_that_ran_out_is_in_nobodys_way() {
        assert_eq!(
            explain(vec![held(0, 10, 1, 2000), held(2100, 2200, 2, 9000)], &Losses::default()),
            Ok(())
        );
    }

    #[test]
    fn two_orders_never_have_it_at_once_whatever_redis_lost() {
        let history = vec![
            deed(0, 10, What::Claimed { order: 1, hold: 1 }),
            deed(20, 30, What::Claimed { order: 2, hold: 2 }),
            deed(40, 50, What::Sold { order: 1, hold: 1 }),
        ];
        assert!(explain(history, &lost(0, 100)).is_err());
    }

    #[test]
    fn what_was_never_answered_may_have_happened_or_not() {
        let left = deed(5, NEVER, What::Left { order: 1 });
        let first = deed(0, 2, What::Claimed { order: 1, hold: 1 });
        let second = deed(10, 20, What::Claimed { order: 2, hold: 2 });
        assert_eq!(explain(vec![first.clone(), left.clone()], &Losses::default()), Ok(()), "never");
        assert_eq!(
            explain(vec![first.clone(), left, second.clone()], &Losses::default()),
            Ok(()),
            "in between"
        );
        assert!(explain(vec![first, second], &Losses::default()).is_err());
    }

    #[test]
    fn a_hold_on_what_is_sold_makes_none() {
        let history = vec![deed(0, 10, What::Sold { order: 1, hold: 1 }), held(20, 30, 2, 9000)];
        assert!(explain(history, &Losses::default()).is_err());
    }

    #[test]
    fn an_order_on_what_somebody_else_holds_makes_none() {
        let claimed = deed(200, 300, What::Claimed { order: 2, hold: 2 });
        let other = held(100, 110, 1, 9000);
        let no_loss = Losses::default();
        let none = vec![
            other.clone(),
            claimed.clone(),
            deed(310, 320, What::Left { order: 2 }),
            held(9500, 9510, 2, 20_000),
        ];
        assert!(explain(none, &no_loss).is_err(), "its own hold came later");
        let unless_lost = vec![other.clone(), held(120, 130, 2, 9000), claimed.clone()];
        assert!(explain(unless_lost.clone(), &no_loss).is_err());
        assert_eq!(explain(unless_lost, &lost(112, 115)), Ok(()), "Redis lost the other's");
        let before = vec![held(0, 10, 2, 90), held(1100, 1110, 1, 9000), deed(50, 1500, claimed.what)];
        assert_eq!(explain(before, &no_loss), Ok(()), "its own had run out in the middle of the checkout");
    }

    #[test]
    fn what_redis_was_not_told_of_may_be_granted_when_the_hold_has_run_out() {
        let at = |granted: At| {
            vec![
                held(0, 10, 1, 5000),
                deed(300, 4000, What::Claimed { order: 1, hold: 1 }),
                held(granted, granted + 10, 2, granted + 5000),
                deed(9000, 9100, What::Sold { order: 1, hold: 1 }),
            ]
        };
        let untold = Losses { lost: vec![], untold: vec![(3000, 7000)] };
        assert_eq!(explain(at(5100), &untold), Ok(()));
        assert!(explain(at(5100), &Losses::default()).is_err(), "nothing kept anybody from telling");
        assert!(explain(at(3900), &untold).is_err(), "the hold stands");
        let later = Losses { lost: vec![], untold: vec![(7000, 9000)] };
        assert!(explain(at(5100), &later).is_err());
    }

    #[test]
    fn a_late_payment_does_not_take_what_somebody_else_holds() {
        let lapsed = [
            held(0, 10, 1, 500),
            deed(20, 30, What::Claimed { order: 1, hold: 1 }),
            deed(100, 110, What::Left { order: 1 }),
        ];
        let again = deed(300, 400, What::Sold { order: 1, hold: 1 });
        let other = held(150, 160, 2, 9000);
        let taken: Vec<_> = lapsed.iter().cloned().chain([other, again.clone()]).collect();
        assert!(explain(taken, &Losses::default()).is_err());
        let free: Vec<_> = lapsed.into_iter().chain([again]).collect();
        assert_eq!(explain(free, &Losses::default()), Ok(()));
    }

    #[test]
    fn a_seat_shown_free_while_it_was_sold_makes_none() {
        let sold = deed(0, 10, What::Sold { order: 1, hold: 1 });
        let shown = |from, to| deed(from, to, What::SeenFree);
        assert!(explain(vec![sold.clone(), shown(20, 30)], &lost(0, 90)).is_err());
        assert_eq!(explain(vec![sold.clone(), shown(5, 30)], &Losses::default()), Ok(()), "just before");
        let left = deed(15, 25, What::Left { order: 1 });
        assert_eq!(
            explain(vec![sold.clone(), left, shown(20, 30)], &Losses::default()),
            Ok(()),
            "just after"
        );
        let blocked = deed(0, 10, What::Blocked);
        assert!(explain(vec![blocked, shown(20, 30)], &Losses::default()).is_err());
    }

    #[test]
    fn a_seat_refused_as_sold_that_nobody_had_makes_none() {
        let refused = |from, to| deed(from, to, What::SeenGone);
        assert!(explain(vec![held(0, 10, 1, 9000), refused(0, 50)], &Losses::default()).is_err());
        let sold = deed(20, 60, What::Sold { order: 1, hold: 1 });
        assert_eq!(explain(vec![sold.clone(), refused(0, 50)], &Losses::default()), Ok(()));
        let long_ago = vec![sold, deed(70, 80, What::Left { order: 1 }), refused(90, 95)];
        assert!(explain(long_ago.clone(), &Losses::default()).is_err(), "it was free again");
        let blocked = deed(85, NEVER, What::Blocked);
        let maybe = long_ago.into_iter().chain([blocked]).collect();
        assert_eq!(explain(maybe, &Losses::default()), Ok(()), "unless it was blocked by then");
    }
}
