//! Whether those who stood in front were let in first.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde_json::Value;

/// Somebody who stood in line: their place, the least being next, and when they learned that they were let in.
#[derive(Debug, Clone, Copy)]
pub struct Stood {
    pub place: f64,
    pub let_in: Option<Duration>,
}

/// How the order in which people were let in compares to the order in which they stood. People look every few seconds whether
/// it is their turn, so those who are let in within the same seconds learn of it in any order.
#[derive(Debug, Serialize, PartialEq)]
pub struct Fairness {
    pub stood_in_line: usize,
    pub never_let_in: usize,
    /// Stood in front of somebody who was let in, and never were.
    pub passed_over: usize,
    /// Spearman's: 1 where everybody was let in as they stood, about 0 where by lot.
    pub rank_correlation: Option<f64>,
    /// How many places later or earlier than they stood people were let in.
    pub mean_displacement: f64,
    pub most_displacement: usize,
}

/// The place that a room's word for it has, which is signed and no secret.
pub fn place(word: &str) -> Option<f64> {
    let claims = BASE64.decode(word.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?["place"].as_f64()
}

#[expect(clippy::cast_precision_loss, reason = "people of one sale")]
pub fn fairness(all: &[Stood]) -> Fairness {
    let mut line = all.to_vec();
    line.sort_by(|one, other| one.place.total_cmp(&other.place));
    let last = line.iter().rposition(|stood| stood.let_in.is_some()).map_or(0, |at| at + 1);
    let passed_over = line[..last].iter().filter(|stood| stood.let_in.is_none()).count();
    let mut let_in: Vec<(usize, Duration)> = line.iter().filter_map(|it| it.let_in).enumerate().collect();
    let_in.sort_by_key(|(_, at)| *at);
    let moved: Vec<usize> = let_in.iter().enumerate().map(|(now, (stood, _))| now.abs_diff(*stood)).collect();
    let (n, squares) = (moved.len() as f64, moved.iter().map(|by| (by * by) as f64).sum::<f64>());
    Fairness {
        stood_in_line: all.len(),
        never_let_in: all.len() - moved.len(),
        passed_over,
        rank_correlation: (moved.len() > 1).then(|| 1.0 - 6.0 * squares / (n * (n * n - 1.0))),
        mean_displacement: moved.iter().sum::<usize>() as f64 / n.max(1.0),
        most_displacement: moved.iter().copied().max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stood(place: f64, let_in: Option<u64>) -> Stood {
        Stood { place, let_in: let_in.map(Duration::from_secs) }
    }

    #[test]
    fn who_stood_in_front_and_came_later_or_never_is_seen() {
        let fair: Vec<Stood> = (0..9_u32).map(|at| stood(f64::from(at), Some(at.into()))).collect();
        let found = fairness(&fair);
        assert_eq!((found.rank_correlation, found.most_displacement, found.passed_over), (Some(1.0), 0, 0));

        let turned: Vec<Stood> = fair.iter().map(|it| Stood { place: -it.place, ..*it }).collect();
        let found = fairness(&turned);
        assert_eq!((found.rank_correlation, found.most_displacement), (Some(-1.0), 8));

        let found = fairness(&[stood(1.0, Some(3)), stood(0.5, None), stood(2.0, None), stood(3.0, Some(1))]);
        assert_eq!((found.stood_in_line, found.never_let_in, found.passed_over), (4, 2, 2));
        assert!((found.mean_displacement - 1.0).abs() < 1e-9);
        assert_eq!(fairness(&[]).rank_correlation, None);
    }

    #[test]
    fn a_place_is_read_of_its_word() {
        let word = format!("head.{}.signature", BASE64.encode(r#"{"place":0.25}"#));
        assert_eq!((place(&word), place("head.%.x"), place("")), (Some(0.25), None, None));
    }
}
