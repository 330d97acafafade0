-- One payment from its webhook to its booking, shown: the statements of a node in their order, as pgbench sends them. A node
-- leases and closes rows for a crowd at once; here each client does it for one.
select nextval('turn') as n \gset
select event_id, order_id, account_id, intent from to_pay where n = :n \gset
insert into stripe_events (id, type, object_id, order_id, done_at, outcome) values ('evt_' || :n, 'payment_intent.succeeded', :intent, :order_id, null, null) on conflict (id) do nothing;
update stripe_events set attempts = attempts + 1, due_at = now() + interval '15 seconds' where id in (select id from stripe_events where done_at is null and parked_at is null and due_at <= now() order by due_at limit 1 for update skip locked) returning id, type, object_id, order_id, received_at, attempts;
select order_id from payments where payment_intent = :intent;
select state from orders where id = :order_id;
begin;
select event_id, id, account_id, state, closing_as, amount, currency from orders where id = :order_id for update;
update payments set payment_intent = :intent where event_id = :event_id and order_id = :order_id and (payment_intent = :intent or payment_intent is null);
select ordinal from order_seats where event_id = :event_id and order_id = :order_id order by ordinal;
update payments set state = 'succeeded', captured = 4800 where event_id = :event_id and order_id = :order_id and payment_intent = :intent;
select coalesce((select sum(captured) from payments where event_id = :event_id and order_id = :order_id), 0)::bigint, coalesce((select sum(r.amount) from refunds r join payments p on p.payment_intent = r.payment_intent where r.event_id = :event_id and r.order_id = :order_id and r.state = 'succeeded'), 0)::bigint;
update seat_claims set state = 'sold', until = null where event_id = :event_id and order_id = :order_id and state = 'held';
select number from events where id = :event_id;
select ordinal from order_seats where event_id = :event_id and order_id = :order_id order by ordinal;
insert into tickets (event_id, order_id, ordinal, id, code) values (:event_id, :order_id, :n, gen_random_uuid(), 'HF1' || md5('code' || :n));
update orders set state = 'confirmed' where event_id = :event_id and id = :order_id and state = 'awaiting_payment';
insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor, request_id) select :event_id, :order_id, coalesce(max(step), 0) + 1, 'awaiting_payment', 'confirmed', 'payment_intent.succeeded', 'stripe', null from order_log where event_id = :event_id and order_id = :order_id;
select exists (select from hook_listeners where event_id = :event_id and types && array['order.confirmed', '*']);
insert into letters (id, occasion, subject, account_id, event_id, payload) values (gen_random_uuid(), 'order_confirmed', :order_id, :account_id, :event_id, '{}') on conflict on constraint letters_once_per_cause do nothing;
insert into outbox (event_id, order_id, kind, payload, due_at) values (:event_id, :order_id, 'show', '{}', now());
commit;
select event_id, hold_id, account_id, state, array(select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as ordinals, array(select from_ordinal from ticket_log l where l.event_id = o.event_id and l.order_id = o.id and what = 'moved' except select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as moved_from, (select count(*) from order_log l where l.event_id = o.event_id and l.order_id = o.id) + (select count(*) from ticket_log l where l.event_id = o.event_id and l.order_id = o.id) as turn from orders o where id = :order_id;
select event_id, hold_id, account_id, state, array(select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as ordinals, array(select from_ordinal from ticket_log l where l.event_id = o.event_id and l.order_id = o.id and what = 'moved' except select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as moved_from, (select count(*) from order_log l where l.event_id = o.event_id and l.order_id = o.id) + (select count(*) from ticket_log l where l.event_id = o.event_id and l.order_id = o.id) as turn from orders o where id = :order_id;
update stripe_events set done_at = now(), outcome = 'confirmed' where id = 'evt_' || :n;
update outbox set attempts = attempts + 1, due_at = now() + interval '15 seconds' where id in (select id from outbox where parked_at is null and due_at <= now() order by due_at limit 1 for update skip locked) returning id, kind, order_id, payload, attempts;
select event_id, hold_id, account_id, state, array(select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as ordinals, array(select from_ordinal from ticket_log l where l.event_id = o.event_id and l.order_id = o.id and what = 'moved' except select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as moved_from, (select count(*) from order_log l where l.event_id = o.event_id and l.order_id = o.id) + (select count(*) from ticket_log l where l.event_id = o.event_id and l.order_id = o.id) as turn from orders o where id = :order_id;
select event_id, hold_id, account_id, state, array(select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as ordinals, array(select from_ordinal from ticket_log l where l.event_id = o.event_id and l.order_id = o.id and what = 'moved' except select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id order by 1) as moved_from, (select count(*) from order_log l where l.event_id = o.event_id and l.order_id = o.id) + (select count(*) from ticket_log l where l.event_id = o.event_id and l.order_id = o.id) as turn from orders o where id = :order_id;
delete from outbox where id in (select id from outbox where attempts > 0 order by due_at limit 1 for update skip locked);
