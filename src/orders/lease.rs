//! Working on leased rows: rows that this node took for a while, without a lock, so that nothing is open while Redis or
//! Stripe is asked.

use tokio::task::JoinSet;

use crate::orders::error::OrdersError;

/// Works on each of the rows, all at once, and says how many there were. What is done is closed in one go with all that was
/// done meanwhile, so that a crowd shares a commit and nobody waits for the slowest.
///
/// A row whose work panics keeps its lease and is tried again when that ends, here or elsewhere.
pub(super) async fn side_by_side<T, D, W, C>(
    rows: Vec<T>,
    work: impl Fn(T) -> W,
    close: impl Fn(Vec<D>) -> C,
) -> Result<usize, OrdersError>
where
    D: Send + 'static,
    W: Future<Output = Result<Option<D>, OrdersError>> + Send + 'static,
    C: Future<Output = Result<(), OrdersError>>,
{
    let count = rows.len();
    let mut working: JoinSet<_> = rows.into_iter().map(work).collect();
    while let Some(first) = working.join_next().await {
        let mut done = Vec::new();
        let mut next = Some(first);
        while let Some(one) = next {
            match one {
                Ok(worked) => done.extend(worked?),
                Err(panic) => {
                    tracing::error!(%panic, "a step panicked; its lease ends and it is tried again");
                }
            }
            next = working.try_join_next();
        }
        if !done.is_empty() {
            close(done).await?;
        }
    }
    Ok(count)
}

/// When a row that failed is tried again, in seconds: half a second, doubling to a minute, so that an outage is not
/// answered with a storm.
pub(super) fn pause(attempts: i32) -> f64 {
    0.25 * 2_f64.powi(attempts.clamp(1, 8)).min(240.0)
}
