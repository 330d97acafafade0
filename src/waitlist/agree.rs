//! Whether anybody waits is known twice: Postgres has the list, and Redis keeps what comes free for it. A crash between
//! the two, a failover, or a word that comes late leaves them apart. Here they are brought together again.

use super::{Waitlist, WaitlistError};
use crate::catalog::OnSale;
use crate::stores::postgres::within;

impl Waitlist {
    /// Makes Redis keep what comes free where somebody waits, and has the list asked where Redis keeps it for nobody:
    /// who asks finds that, and lets go. Whoever is on the way to do the same loses nothing by its being done twice. What
    /// Redis does was read after the event was.
    ///
    /// # Errors
    /// When one of the two cannot answer; the next look finds the same.
    pub async fn agree(&self, event: &OnSale, keeps: bool) -> Result<(), WaitlistError> {
        if event.waits && !keeps {
            tracing::warn!(event.id = %event.id, "Redis did not know that somebody waits");
            // Model: BeginAgain
            self.seats.begin_waiting(event.id).await?;
        } else if keeps && !event.waits {
            tracing::debug!(event.id = %event.id, "Redis keeps seats for nobody that the list knows");
            within(async {
                // Model: AskAgain
                sqlx::query("update events set waits = true where id = $1 and not waits")
                    .bind(event.id)
                    .execute(&self.pg)
                    .await?;
                Ok::<_, WaitlistError>(())
            })
            .await?;
        } else {
            return Ok(());
        }
        self.bell.notify_one();
        Ok(())
    }
}
