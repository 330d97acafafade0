//! An audit that cannot fail would prove nothing: each promise is broken by hand, and must be reported.

use crate::support::Holdfast;
use crate::support::journeys::id;

/// What no rows can break: `migrations_are_safe_beside_nodes` takes constraints away, and the picture is spoiled below.
const ELSEWHERE: [&str; 2] = ["guards_stand", "picture_is_true"];

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_promise_is_counted() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let open = ada.orders(event, &["stalls-B-1", "stalls-B-2"]).await;
    let (hall, buyer, whole) = holdfast.sold_out(4800).await;
    let (first, second) = (holdfast.customer().await, holdfast.customer().await);
    let (offered, behind) = (first.waits_for(hall, 4).await, second.waits_for(hall, 4).await);
    buyer.cancels(&whole).await.expect(200);
    first.is(&offered, "offered").await;
    holdfast.every_invariant_holds().await;

    let (offered, behind) = (id(&offered).to_owned(), id(&behind).to_owned());
    let (paid, unpaid) = (id(&order).to_owned(), id(&open).to_owned());
    let harms: Vec<_> = harms_to_orders(&paid, &unpaid)
        .into_iter()
        .chain(harms_around_them(&paid, &offered, &behind))
        .collect();
    let asked = holdfast::workers::audit::run(holdfast.app()).await.expect("the audit runs").findings;
    for finding in &asked {
        assert!(
            ELSEWHERE.contains(&finding.name)
                || harms.iter().any(|(invariant, _)| *invariant == finding.name),
            "{} is asked, and nothing shows that its answer can be bad",
            finding.name
        );
    }
    for (invariant, harm) in harms {
        holdfast
            .in_a_copy_of_the_database(async |pg| {
                for statement in harm.split(';') {
                    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
                        .execute(&pg)
                        .await
                        .expect("the harm is done");
                }
                let findings = holdfast::workers::audit::ask_postgres(&pg).await.expect("the audit runs");
                let finding = findings.iter().find(|finding| finding.name == invariant).expect("it is asked");
                assert!(finding.breaches > 0, "{invariant} did not notice: {harm}");
            })
            .await;
    }
}

type Harm = (&'static str, String);

/// Each with the invariant that has to notice it.
fn harms_to_orders(paid: &str, unpaid: &str) -> Vec<Harm> {
    vec![
        (
            "seat_sold_once",
            format!(
                "update orders set state = 'confirmed' where id = '{unpaid}';
                 update order_seats set ordinal = (select min(ordinal) from order_seats where order_id = '{paid}')
                  where order_id = '{unpaid}'
                    and ordinal = (select min(ordinal) from order_seats where order_id = '{unpaid}')"
            ),
        ),
        (
            "seat_sold_once",
            format!(
                "drop index tickets_one_valid_per_seat;
                 update tickets set ordinal = (select min(ordinal) from tickets where order_id = '{paid}')
                  where order_id = '{paid}'"
            ),
        ),
        ("all_seats_or_none", format!("delete from tickets where order_id = '{paid}'")),
        ("all_seats_or_none", format!("delete from seat_claims where order_id = '{paid}'")),
        ("open_orders_keep_their_seats", format!("delete from seat_claims where order_id = '{unpaid}'")),
        ("tickets_are_their_orders", format!("update seat_claims set ordinal = 30 where order_id = '{paid}' and ordinal = 0")),
        ("tickets_are_their_orders", format!("update orders set state = 'cancelled' where id = '{paid}'")),
        (
            "door_and_log_agree",
            format!(
                "update tickets set checked_in_at = now(), checked_in_by = (select id from accounts limit 1)
                  where order_id = '{paid}'"
            ),
        ),
        ("door_and_log_agree", format!("update tickets set issue = 2 where order_id = '{paid}'")),
        ("confirmed_is_paid", format!("update payments set captured = 1 where order_id = '{paid}'")),
        ("priced_as_shown", format!("update order_seats set price = price + 1 where order_id = '{paid}'")),
        ("claims_have_a_living_order", format!("update orders set state = 'refunded' where id = '{paid}'")),
        ("captured_money_has_a_home", format!("update orders set state = 'cancelled' where id = '{paid}'")),
        (
            "captured_money_has_a_home",
            format!(
                "insert into refunds (id, event_id, order_id, payment_intent, amount, currency, cause, state)
                 select gen_random_uuid(), event_id, order_id, payment_intent, captured, currency, 'all of it', 'succeeded'
                   from payments where order_id = '{paid}'"
            ),
        ),
        (
            "captured_money_has_a_home",
            format!(
                "insert into payments (event_id, order_id, attempt, payment_intent, amount, currency, state, captured)
                 select event_id, order_id, 2, 'pi_twice', amount, currency, 'succeeded', captured
                   from payments where order_id = '{paid}'"
            ),
        ),
        ("no_open_door_on_a_closed_order", format!("update orders set state = 'expired' where id = '{unpaid}'")),
        ("moves_are_logged", format!("delete from order_log where order_id = '{paid}' and step = 2")),
        (
            "refunds_within_capture",
            format!(
                "insert into refunds (id, event_id, order_id, payment_intent, amount, currency, cause)
                 select gen_random_uuid(), event_id, order_id, payment_intent, 99999, currency, 'too much'
                   from payments where order_id = '{paid}'"
            ),
        ),
        ("open_orders_move_on", format!("update orders set pay_by = now() - interval '1 day' where id = '{unpaid}'")),
    ]
}

/// To those who wait, to what is owed, and to who is told.
fn harms_around_them(paid: &str, offered: &str, behind: &str) -> Vec<Harm> {
    vec![
        ("others_are_told", owed_to("(select organiser_id from events limit 1)")),
        ("told_to_whom_it_concerns", owed_to(&format!("(select account_id from orders where id = '{paid}')"))),
        (
            "offers_in_order",
            format!(
                "insert into waitlist_log (event_id, entry_id, step, from_state, to_state, cause, actor)
                 select event_id, id, 2, 'waiting', 'offered', 'its turn', 'clock' from waitlist where id = '{behind}';
                 update waitlist_log set at = '2020-01-02' where entry_id = '{behind}' and step = 2;
                 update waitlist set joined_at = '2020-01-01'"
            ),
        ),
        ("offers_have_a_party", format!("update waitlist set state = 'declined' where id = '{offered}'")),
        ("offers_have_a_party", "delete from offered_seats".to_owned()),
        ("offers_have_a_party", format!("update offers set state = 'lapsed' where entry_id = '{offered}'")),
        ("parties_are_logged", format!("delete from waitlist_log where entry_id = '{behind}'")),
        ("parties_are_logged", format!("update waitlist_log set from_state = null, to_state = 'waiting' where entry_id = '{offered}'")),
        ("offers_end", "update offers set expires_at = now() - interval '1 day'".to_owned()),
        (
            "debts_are_paid",
            format!(
                "insert into outbox (event_id, order_id, kind, created_at, due_at) select event_id, id, 'show',
                   now() - interval '1 day', now() + interval '1 day' from orders where id = '{paid}'"
            ),
        ),
        (
            "letters_are_sent",
            format!(
                "update letters set skipped_at = null, created_at = now() - interval '1 day',
                   due_at = now() + interval '1 day' where subject = '{paid}'"
            ),
        ),
    ]
}

/// An endpoint of this account that has been owed something since yesterday.
fn owed_to(account: &str) -> String {
    format!(
        "with hook as (
             insert into hooks (id, account_id, url, types, for_all, secret)
             values (gen_random_uuid(), {account}, 'https://a.example/', '{{*}}', false, 'sealed') returning id
         ), told as (
             insert into hook_events (id, event_id, type, data)
             select gen_random_uuid(), id, 'order.confirmed', '{{}}' from events limit 1 returning id
         )
         insert into hook_deliveries (hook_id, hook_event_id, due_at)
         select hook.id, told.id, now() - interval '1 day' from hook, told"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_differs_is_repaired_and_counted() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let sold = Some(format!("sold:{}", id(&order)));
    ada.sees_seat(event, "stalls-A-1", "sold").await;

    holdfast.redis_command(&["SETBIT", &format!("sold:{{{event}}}"), "0", "0"]).await;
    holdfast.redis_command(&["SETBIT", &format!("taken:{{{event}}}"), "0", "0"]).await;
    holdfast.redis_command(&["DEL", &format!("isTaken:{{{event}}}:0")]).await;

    crate::support::eventually("the seat is sold again", async || {
        (holdfast.flag(event, "stalls-A-1").await == sold).then_some(())
    })
    .await;
    crate::support::eventually("the drift is counted", async || {
        (holdfast.app().metrics.picture_drift.get() > 0).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}
