//! Attempts to sign in, counted by the e-mail address that is tried, whether it has an account or not.
//!
//! Two limits: a tight one for the address tried from one place, a wider one for the address tried from everywhere.
//! The second one alone would let anybody lock the owner out from elsewhere for as long as they like. So it does not
//! hold where the address was signed in from before: there, only what that place itself got wrong counts.

use std::time::Duration;

use super::shared::{Act, Buckets};
use super::subject::{Digest, Subject};
use super::{Address, Class, Limits, LimitsError, Refusal, Standing};

/// A place that somebody signed in from is known for so long.
const KNOWN: Duration = Duration::from_hours(30 * 24);

/// How attempts appear among the metrics: a login is counted by its address as well.
const COUNTED: &str = "login_account";

#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error("too many attempts for this address")]
    Refused(Refusal),
    #[error(transparent)]
    Away(LimitsError),
}

/// An attempt that may be made. Dropped, it counts as one that failed.
#[must_use]
pub struct Attempt {
    limits: Limits,
    buckets: Option<Buckets>,
}

impl Limits {
    /// Counts an attempt before the password is looked at, so that many at once are not more than there may be.
    ///
    /// # Errors
    /// When there were too many, or nobody can count them.
    pub async fn attempt(&self, email: &str, from: Address) -> Result<Attempt, AttemptError> {
        let Some(buckets) = self.buckets_of_attempts(email, from) else {
            return Ok(Attempt { limits: self.clone(), buckets: None });
        };
        match self.shared.ask(Act::Take, 1, &buckets).await {
            Ok(taken) if taken.is_taken => {
                self.count(COUNTED, "allowed");
                Ok(Attempt { limits: self.clone(), buckets: Some(buckets) })
            }
            Ok(taken) => {
                self.count(COUNTED, "refused");
                let each = buckets.each.iter().zip(taken.levels);
                Err(AttemptError::Refused(Refusal::of(
                    each.map(|((_, quota), level)| Standing {
                        class: Class::Login,
                        is_of_address: false,
                        quota: *quota,
                        level,
                    })
                    .collect(),
                )))
            }
            Err(cause) => {
                self.count(COUNTED, "closed");
                Err(AttemptError::Away(cause))
            }
        }
    }

    fn buckets_of_attempts(&self, email: &str, from: Address) -> Option<Buckets> {
        let place = Digest::of(&from.to_string());
        let here = self.settings.of(Class::Login).account;
        let here = here.map(|quota| (format!("login:{place}"), quota));
        let anywhere = self.settings.anywhere.map(|quota| ("login".to_owned(), quota));
        let each: Vec<_> = here.into_iter().chain(anywhere).collect();
        // The last bucket is passed over where it is known, which must be the one for everywhere.
        let marker = self.settings.anywhere.map(|_| (format!("known:{place}"), KNOWN));
        (!each.is_empty()).then(|| Buckets { subject: Subject::email(email), each, marker })
    }
}

impl Attempt {
    /// The password was right: this was no guess, and from now on this place is known.
    pub async fn succeeded(self) {
        self.ends(Act::Know).await;
    }

    /// Nobody has looked at the password: there was nothing to learn from it.
    pub async fn was_not_made(self) {
        self.ends(Act::Give).await;
    }

    async fn ends(self, how: Act) {
        if let Some(buckets) = &self.buckets {
            self.limits.give(how, buckets).await;
        }
    }
}
