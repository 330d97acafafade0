//! A stadium in the middle of its sale, written straight into Postgres: a hundred thousand seats, most of them in somebody's
//! hands in every way that there is.

use std::collections::BTreeMap;

use holdfast::ids::{EventId, Ordinal};
use serde_json::json;

use super::Holdfast;

/// The part that people buy from: rows of these lengths, as `hall-A-1`.
pub const ROWS: [u32; 6] = [30; 6];

/// All seats.
pub const SEATS: u32 = 100_000;

/// Of the others, how many are what.
const SOLD: i32 = 60_000;
const AT_CHECKOUT: i32 = 10_000;
const BLOCKED: i32 = 5_000;
const OFFERED: i32 = 2_000;

impl Holdfast {
    /// An event of so many seats, most of which are not free.
    pub async fn stadium(&self) -> EventId {
        let sections: Vec<_> = (0..40)
            .map(|number| {
                let seats = (SEATS - ROWS.iter().sum::<u32>()) / 40 + u32::from(number == 0) * ((SEATS - 180) % 40);
                let rows: Vec<_> = (0..50)
                    .map(|row| json!({ "name": format!("{row}"), "seats": seats / 50 + u32::from(row < seats % 50) }))
                    .collect();
                json!({ "key": format!("block-{number}"), "name": format!("Block {number}"), "category": "given", "rows": rows })
            })
            .collect();
        let rows: Vec<_> =
            ('A'..).zip(ROWS).map(|(name, seats)| json!({ "name": name, "seats": seats })).collect();
        let hall = json!({ "key": "hall", "name": "Hall", "category": "gold", "rows": rows });
        let sections = [&[hall], sections.as_slice()].concat();
        let event = self
            .event(json!({
                "title": "The Final", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur", "orphan_rule": false,
                "categories": [{ "key": "gold", "name": "Gold", "price": 4800 }, { "key": "given", "name": "Given", "price": 0 }],
                "sections": sections,
            }))
            .await;
        self.fill(event).await;
        event
    }

    async fn fill(&self, event: EventId) {
        let chart = self.app().catalog.chart(event).await.expect("a chart");
        assert_eq!(chart.aisle_plane().iter().map(|byte| byte.count_zeros()).sum::<u32>(), SEATS);
        let given: Vec<i32> = (0..chart.size())
            .filter(|&at| chart.seat(at).is_some_and(|seat| !seat.id.to_string().starts_with("hall-")))
            .map(|at| i32::try_from(at).expect("small"))
            .collect();
        // The pictures' own workers look at this while it is written: it is one transaction.
        let mut tx = self.app().pg.begin().await.expect("a transaction");
        sqlx::query("set local statement_timeout = 0").execute(&mut *tx).await.expect("set");
        sqlx::query("create temporary table given on commit drop as
                     select ordinal, row_number() over (order by ordinal) - 1 as place from unnest($1::integer[]) as ordinal")
            .bind(&given)
            .execute(&mut *tx)
            .await
            .expect("the seats");
        for statement in [
            "create temporary table people on commit drop as select gen_random_uuid() as id, n from generate_series(0, 1999) n",
            "insert into accounts (id, name, email, password_hash, role)
             select id, 'One of many', id || '@example.com', 'none', 'customer' from people",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.expect("people");
        }
        let at_checkout = SOLD + AT_CHECKOUT;
        let statements = [
            // Fifty seats an order, sold; twenty an order, at checkout.
            format!(
                "create temporary table bought on commit drop as
                 select gen_random_uuid() as id, gen_random_uuid() as hold, n, case when n < 1200 then 'confirmed' else 'awaiting_payment' end as state
                   from generate_series(0, {}) n",
                1200 + AT_CHECKOUT / 20 - 1
            ),
            "insert into orders (event_id, id, account_id, hold_id, state, amount, currency, pay_by, request_id, check_at)
             select '{event}', b.id, p.id, b.hold, b.state, 0, 'eur', now() + interval '1 day', 'stadium', now() + interval '1 day'
               from bought b join people p on p.n = b.n"
                .to_owned(),
            "insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor)
             select '{event}'::uuid, id, 1, null, 'awaiting_payment', 'checked out', 'clock' from bought
             union all select '{event}'::uuid, id, 2, 'awaiting_payment', 'confirmed', 'free', 'clock' from bought where state = 'confirmed'"
                .to_owned(),
            format!(
                "create temporary table places on commit drop as
                 select b.id, b.state, g.ordinal from given g
                   join bought b on b.n = case when g.place < {SOLD} then g.place / 50 else 1200 + (g.place - {SOLD}) / 20 end
                  where g.place < {at_checkout}"
            ),
            "insert into order_seats (event_id, order_id, ordinal, seat_id, section, category, price)
             select '{event}', id, ordinal, 'seat-' || ordinal, 'block', 'given', 0 from places"
                .to_owned(),
            "insert into seat_claims (event_id, ordinal, order_id, state, until)
             select '{event}', ordinal, id, case when state = 'confirmed' then 'sold' else 'held' end,
                    case when state <> 'confirmed' then now() + interval '1 day' end from places"
                .to_owned(),
            "insert into tickets (event_id, id, order_id, ordinal, code)
             select '{event}', gen_random_uuid(), id, ordinal, 'code-' || ordinal from places where state = 'confirmed'"
                .to_owned(),
            format!(
                "insert into seat_claims (event_id, ordinal, state, reason)
                 select '{{event}}', ordinal, 'blocked', 'the stage' from given
                  where place >= {at_checkout} and place < {}",
                at_checkout + BLOCKED
            ),
            "create temporary table parties on commit drop as
             select gen_random_uuid() as id, gen_random_uuid() as hold, n from generate_series(0, 99) n"
                .to_owned(),
            format!(
                "insert into waitlist (id, event_id, account_id, quantity, state)
                 select w.id, '{{event}}', p.id, {}, 'offered' from parties w join people p on p.n = w.n",
                OFFERED / 100
            ),
            "insert into waitlist_log (event_id, entry_id, step, from_state, to_state, cause, actor)
             select '{event}'::uuid, id, 1, null, 'waiting', 'joined', 'clock' from parties
             union all select '{event}'::uuid, id, 2, 'waiting', 'offered', 'its turn', 'clock' from parties"
                .to_owned(),
            "insert into offers (hold_id, event_id, entry_id, account_id, amount, expires_at)
             select w.hold, '{event}', w.id, p.id, 0, now() + interval '1 day' from parties w join people p on p.n = w.n"
                .to_owned(),
            format!(
                "insert into offered_seats (event_id, ordinal, hold_id)
                 select '{{event}}', g.ordinal, w.hold from given g
                   join parties w on w.n = (g.place - {first}) / {each}
                  where g.place >= {first} and g.place < {first} + {OFFERED}",
                first = at_checkout + BLOCKED,
                each = OFFERED / 100
            ),
        ];
        for statement in statements {
            let statement = statement.replace("{event}", &event.to_string());
            sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
                .execute(&mut *tx)
                .await
                .unwrap_or_else(|error| panic!("{error}: {statement}"));
        }
        tx.commit().await.expect("the stadium is full");
    }

    /// What every seat's flag must be by what Postgres says, and what each customer has.
    pub async fn seats_by_postgres(
        &self,
        event: EventId,
    ) -> (BTreeMap<Ordinal, String>, BTreeMap<String, i64>) {
        let rows: Vec<(i32, String, Option<uuid::Uuid>)> = sqlx::query_as(
            "select c.ordinal,
                    case c.state when 'sold' then 'sold:' || c.order_id when 'blocked' then 'blocked' else o.hold_id::text end,
                    o.account_id
               from seat_claims c left join orders o on o.event_id = c.event_id and o.id = c.order_id
              where c.event_id = $1
             union all
             select s.ordinal, s.hold_id::text, o.account_id from offered_seats s join offers o using (hold_id)
              where s.event_id = $1 and o.state = 'open'",
        )
        .bind(event)
        .fetch_all(&self.app().pg)
        .await
        .expect("a query");
        let mut owners = BTreeMap::new();
        for owner in rows.iter().filter_map(|(_, _, owner)| *owner) {
            *owners.entry(owner.to_string()).or_insert(0) += 1;
        }
        let flags =
            rows.into_iter().map(|(at, flag, _)| (u32::try_from(at).expect("a seat"), flag)).collect();
        (flags, owners)
    }
}
