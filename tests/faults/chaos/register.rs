//! Each seat as a register, and whether one order of all that was seen of it makes sense.
//!
//! What somebody did has a beginning and an answer; it happened at one moment between the two. An answer that never
//! came leaves it open: it happened at any later moment, or never. A history is right when moments can be found for
//! all of it such that the register allows each. That is searched for, not guessed.

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
    /// An order has claimed the seat.
    Claimed {
        order: u32,
    },
    /// An order has it for good.
    Sold {
        order: u32,
    },
    /// An order does not have it any more.
    Left {
        order: u32,
    },
    Blocked,
    Unblocked,
}

/// When Redis may have lost what it was told.
#[derive(Debug, Clone, Default)]
pub struct Losses(pub Vec<(At, At)>);

impl Losses {
    fn touch(&self, from: At, to: At) -> bool {
        self.0.iter().any(|&(begun, over)| from <= over && begun <= to)
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

/// Clocks are read by two processes, and a flag goes within a second of its time.
const SLACK: At = 1000;

impl Seat {
    const FREE: Self = Self { owned: Owned::Free, held: None };

    /// What becomes of the seat, or nothing when it cannot be.
    fn after(self, deed: &Deed, losses: &Losses) -> Option<Self> {
        let lossy = losses.touch(deed.from, deed.to);
        match deed.what {
            What::Held { hold, until } => {
                let vacant = match self.held {
                    None => true,
                    Some((other, since, ends)) => {
                        other == hold || deed.to.saturating_add(SLACK) >= ends || losses.touch(since, deed.to)
                    }
                };
                // A Redis that lost what it was told may grant what Postgres will refuse at the checkout.
                let free = self.owned == Owned::Free || lossy;
                (vacant && free).then_some(Self { held: Some((hold, deed.from, until)), ..self })
            }
            What::LetGo { hold } => match self.held {
                Some((other, ..)) if other == hold => Some(Self { held: None, ..self }),
                // It had run out, or was lost, and somebody else may have come.
                _ => Some(self),
            },
            What::Claimed { order } => match self.owned {
                Owned::Free => Some(Self { owned: Owned::Claimed(order), ..self }),
                Owned::Claimed(own) | Owned::Sold(own) if own == order => Some(self),
                Owned::Claimed(_) | Owned::Sold(_) | Owned::Blocked => None,
            },
            // A late payment takes the seat again where nobody has it.
            What::Sold { order } => match self.owned {
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
    while let Some((placed, seat)) = stack.pop() {
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

    /// What may come next: whatever began before everything else that is left was answered.
    fn next(&self, placed: &Placed, seat: Seat, stack: &mut Vec<(Placed, Seat)>) {
        let left = || self.deeds.iter().enumerate().filter(|(at, _)| !placed.has(*at));
        let soonest = left().map(|(_, deed)| deed.to).min().unwrap_or(NEVER);
        // The earliest is tried first, so it goes onto the stack last.
        let mut next: Vec<_> = left()
            .filter(|(_, deed)| deed.from <= soonest)
            .filter_map(|(at, deed)| Some((placed.with(at), seat.after(deed, self.losses)?)))
            .collect();
        next.reverse();
        stack.append(&mut next);
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

    #[test]
    fn a_sale_and_a_refund_and_a_sale_make_sense() {
        let history = vec![
            held(0, 10, 1, 5000),
            deed(10, 30, What::Claimed { order: 1 }),
            deed(10, 90, What::Sold { order: 1 }),
            deed(100, 200, What::Left { order: 1 }),
            held(150, 260, 2, 9000),
            deed(270, 280, What::Claimed { order: 2 }),
            deed(280, 300, What::Sold { order: 2 }),
        ];
        assert_eq!(explain(history, &Losses::default()), Ok(()));
    }

    #[test]
    fn two_who_hold_at_once_make_none() {
        let history = vec![held(0, 10, 1, 9000), held(20, 30, 2, 9000)];
        assert!(explain(history.clone(), &Losses::default()).is_err());
        assert_eq!(explain(history, &Losses(vec![(12, 15)])), Ok(()), "unless Redis lost the first");
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
            deed(0, 10, What::Claimed { order: 1 }),
            deed(20, 30, What::Claimed { order: 2 }),
            deed(40, 50, What::Sold { order: 1 }),
        ];
        assert!(explain(history, &Losses(vec![(0, 100)])).is_err());
    }

    #[test]
    fn what_was_never_answered_may_have_happened_or_not() {
        let left = deed(5, NEVER, What::Left { order: 1 });
        let first = deed(0, 2, What::Claimed { order: 1 });
        let second = deed(10, 20, What::Claimed { order: 2 });
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
        let history = vec![deed(0, 10, What::Sold { order: 1 }), held(20, 30, 2, 9000)];
        assert!(explain(history, &Losses::default()).is_err());
    }
}
