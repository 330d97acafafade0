//! What nodes say of themselves: their logs, their metrics, and answers that nothing excuses.

use std::time::{Duration, Instant};

use super::scene::Scene;
use super::storm::Storm;
use super::trouble::Trouble;

/// A node asks all of it every two seconds; a busy one takes longer.
const AUDITED: Duration = Duration::from_mins(3);
const METRIC: &str = "holdfast_invariant_breaches{";

impl Storm {
    /// Mistakes of ours, which no trouble excuses.
    pub fn mistakes(&mut self) -> Vec<String> {
        let mut wrong = self.house.places.mistakes();
        for seat in &self.nodes {
            let name = &seat.node.name;
            let log = seat.node.log();
            let read = self.logs_read.insert(name.clone(), log.len()).unwrap_or(0);
            let odd = log.get(read..).unwrap_or_default().lines().filter(|line| is_a_mistake(line));
            wrong.extend(odd.take(5).map(|line| format!("{name} says: {line}")));
        }
        wrong
    }

    /// Every node has asked every invariant, and found nothing.
    pub async fn nodes_count_no_breach(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let http = reqwest::Client::new();
        for seat in &self.nodes {
            let began = Instant::now();
            loop {
                let asked = http
                    .get(format!("{}/metrics", seat.node.url()))
                    .timeout(Duration::from_secs(5))
                    .send()
                    .await;
                let page = match asked {
                    Ok(answer) => answer.text().await.unwrap_or_default(),
                    Err(_) => String::new(),
                };
                let counted: Vec<_> = page.lines().filter(|line| line.starts_with(METRIC)).collect();
                let broken: Vec<_> = counted.iter().filter(|line| !line.ends_with(" 0")).collect();
                if !counted.is_empty() && broken.is_empty() {
                    break;
                }
                if began.elapsed() > AUDITED {
                    wrong.push(format!(
                        "{} counts {} invariants, and as broken {broken:?}",
                        seat.node.name,
                        counted.len()
                    ));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        wrong
    }

    /// Money waits for a person only where a bank has sent a refund back; every order is known, so nothing else does.
    pub async fn money_waits_for_nobody(&self, scene: &Scene, pg: &sqlx::PgPool) -> Vec<String> {
        let events: Vec<_> = scene.events.iter().map(|event| event.id.clone()).collect();
        let parked: Vec<(String, String)> = sqlx::query_as(
            "select payment_intent, reason from parked_payments where resolved_at is null
             union all
             select payment_intent, 'a refund failed' from refunds where state = 'failed'
                and event_id::text = any ($1) and not $2",
        )
        .bind(&events)
        .bind(self.done.contains(&Trouble::RefundsTakeTime))
        .fetch_all(pg)
        .await
        .expect("Postgres answers");
        parked.into_iter().map(|(intent, why)| format!("{intent} waits for a person: {why}")).collect()
    }
}

/// What a picture lacks while there is trouble is found by looking at it; that an invariant of Postgres is broken, or a
/// thread, is nobody's trouble but ours.
fn is_a_mistake(line: &str) -> bool {
    line.contains("panicked at ")
        || line.contains("answering 500")
        || (line.contains("a promise is broken") && !line.contains("picture_is_true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_from_trouble() {
        for mistake in [
            "thread 'tokio-runtime-worker' panicked at src/orders/settle.rs:1:1:",
            r#"{"level":"ERROR","fields":{"message":"answering 500","cause":"a handler panicked: no"}}"#,
            r#"{"fields":{"message":"a promise is broken: …","invariant":"seat_sold_once","breaches":1}}"#,
        ] {
            assert!(is_a_mistake(mistake), "{mistake}");
        }
        for trouble in [
            r#"{"level":"WARN","fields":{"message":"answering 503: something we need cannot answer"}}"#,
            r#"{"fields":{"message":"a promise is broken: …","invariant":"picture_is_true","breaches":1}}"#,
        ] {
            assert!(!is_a_mistake(trouble), "{trouble}");
        }
    }
}
