//! Working on leased rows: rows that this node took for a while, without a lock, so that nothing is open while Redis or
//! Stripe is asked.

use tokio::task::JoinSet;

use crate::orders::error::OrdersError;

/// Works on each of the rows, all at once, and says how many there were.
///
/// A row whose work panics keeps its lease and is tried again when that ends, here or elsewhere.
pub(super) async fn side_by_side<T, W>(rows: Vec<T>, work: impl Fn(T) -> W) -> Result<usize, OrdersError>
where
    W: Future<Output = Result<(), OrdersError>> + Send + 'static,
{
    let count = rows.len();
    let mut working: JoinSet<_> = rows.into_iter().map(work).collect();
    while let Some(done) = working.join_next().await {
        match done {
            Ok(done) => done?,
            Err(panic) => tracing::error!(%panic, "a step panicked; its lease ends and it is tried again"),
        }
    }
    Ok(count)
}

/// When a row that failed is tried again, in seconds: half a second, doubling to a minute, so that an outage is not
/// answered with a storm.
pub(super) fn pause(attempts: i32) -> f64 {
    0.25 * 2_f64.powi(attempts.clamp(1, 8)).min(240.0)
}
