//! Two things that take turns: what one finds is worth something only beside what the other finds in the same minutes.

use std::future::Future;

/// Turns of each.
pub const TURNS: usize = 5;

/// What was found in each turn.
#[derive(Debug, Clone)]
pub struct Paired {
    pub ours: Vec<f64>,
    pub theirs: Vec<f64>,
}

/// Both in turn, whoever was last being first the next time.
pub async fn paired<A, B>(
    mut ours: impl FnMut() -> A,
    mut theirs: impl FnMut() -> B,
) -> anyhow::Result<Paired>
where
    A: Future<Output = anyhow::Result<f64>>,
    B: Future<Output = anyhow::Result<f64>>,
{
    let mut found = Paired { ours: Vec::new(), theirs: Vec::new() };
    for turn in 0..TURNS {
        if turn % 2 == 0 {
            found.ours.push(ours().await?);
            found.theirs.push(theirs().await?);
        } else {
            found.theirs.push(theirs().await?);
            found.ours.push(ours().await?);
        }
        println!("  turn {}: {:.1} beside {:.1}", turn + 1, found.ours[turn], found.theirs[turn]);
    }
    Ok(found)
}

impl Paired {
    /// The ratio of each turn.
    pub fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs).collect()
    }

    pub fn ratio(&self) -> f64 {
        median(&self.ratios())
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the most.
pub fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), &value| (least.min(value), most.max(value)))
}
