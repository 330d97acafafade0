-- Years of a house: events that are over, the orders of each, and all that belongs to them. How many is said by
-- set_config('years.events', …) and 'years.orders', which are as many for each event and two for each customer.
set statement_timeout = 0;
insert into accounts (id, name, email, password_hash, role)
select gen_random_uuid(), 'Customer ' || n, 'filler-' || n || '@example.com', 'none', 'customer'
  from generate_series(1, current_setting('years.orders')::integer / 2) n;
insert into events (id, organiser_id, title, starts_at, created_at, currency, seats, state)
select gen_random_uuid(), (select id from accounts where role = 'organiser' order by created_at limit 1), 'Evening ' || n,
       now() - interval '400 days' - n * interval '1 hour', now() - interval '500 days', 'eur', 1000, 'published'
  from generate_series(1, current_setting('years.events')::integer) n;
create unlogged table filler as
select e.id as event_id, gen_random_uuid() as id, a.id as account_id, o.n as ordinal, row_number() over () as number,
       now() - random() * interval '25 days' as at
  from (select id, row_number() over () as k from events where title like 'Evening %') e
  cross join generate_series(0, current_setting('years.orders')::integer / current_setting('years.events')::integer - 1) o(n)
  join (select id, row_number() over () as k from accounts where email like 'filler-%') a
    on a.k = 1 + (e.k * 7919 + o.n * 104729) % (current_setting('years.orders')::integer / 2);
insert into orders (event_id, id, account_id, hold_id, state, amount, currency, pay_by, request_id, created_at, check_at)
select event_id, id, account_id, gen_random_uuid(), 'confirmed', 4800, 'eur', at, 'filler', at, at from filler;
insert into order_seats select event_id, id, ordinal, 'stalls-1-' || ordinal, 'stalls', '1', ordinal::text, 'all', 4800 from filler;
insert into seat_claims (event_id, ordinal, order_id, state) select event_id, ordinal, id, 'sold' from filler;
insert into tickets (event_id, id, order_id, ordinal, code)
select event_id, gen_random_uuid(), id, ordinal, 'HF1' || upper(md5(number::text)) from filler;
insert into order_log (event_id, order_id, step, at, from_state, to_state, cause, actor)
select event_id, id, 1, at, null, 'awaiting_payment', 'checkout', account_id::text from filler
union all select event_id, id, 2, at + interval '1 minute', 'awaiting_payment', 'confirmed', 'paid', 'stripe' from filler;
insert into payments (event_id, order_id, attempt, payment_intent, amount, currency, state, captured)
select event_id, id, 1, 'pi_filler_' || number, 4800, 'eur', 'succeeded', 4800 from filler;
insert into stripe_events (id, type, object_id, order_id, received_at, done_at)
select 'evt_filler_' || number, 'payment_intent.succeeded', 'pi_filler_' || number, id, at, at from filler;
insert into letters (id, occasion, subject, account_id, event_id, sent_at, created_at)
select gen_random_uuid(), 'order_confirmed', id, account_id, event_id, at, at from filler;
insert into refresh_tokens (id, family, account_id, token_hash, expires_at)
select gen_random_uuid(), gen_random_uuid(), account_id, decode(md5(number::text), 'hex'), at + interval '30 days' from filler;
insert into hook_events (id, event_id, type, data, created_at)
select gen_random_uuid(), event_id, 'order.confirmed', '{}', at from filler;
insert into refunds (id, event_id, order_id, payment_intent, amount, currency, cause, state, stripe_refund, created_at, check_at)
select gen_random_uuid(), event_id, id, 'pi_filler_' || number, 100, 'eur', 'a kindness', 'succeeded', 're_filler_' || number, at, at
  from filler where number % 10 = 0;
insert into ticket_log (event_id, ticket_id, order_id, at, what, actor)
select t.event_id, t.id, t.order_id, f.at, 'checked_in', 'filler' from filler f
  join tickets t on t.event_id = f.event_id and t.order_id = f.id where f.number % 2 = 0;
insert into idempotency_keys (scope, key, fingerprint, resource_id, runner, locked_until, status, answer, expires_at)
select 'filler', number::text, '\x00', id, id, at, 201, '\x00', now() + interval '1 day' from filler;
insert into waitlist (id, event_id, account_id, quantity, state, joined_at)
select id, event_id, account_id, 2, case number % 8 when 0 then 'lapsed' else 'left' end, at from filler where number % 4 = 0;
insert into waitlist_log (event_id, entry_id, step, at, from_state, to_state, cause, actor)
select event_id, id, 1, at, null, 'waiting', 'joined', account_id::text from filler where number % 4 = 0
union all select event_id, id, 2, at + interval '1 minute', 'waiting', case number % 8 when 0 then 'offered' else 'left' end, 'filler', 'clock'
  from filler where number % 4 = 0
union all select event_id, id, 3, at + interval '11 minutes', 'offered', 'lapsed', 'time', 'clock' from filler where number % 8 = 0;
insert into offers (hold_id, event_id, entry_id, account_id, amount, state, made_at, expires_at)
select gen_random_uuid(), event_id, id, account_id, 4800, 'lapsed', at, at + interval '10 minutes' from filler where number % 8 = 0;
insert into trail (id, at, actor_id, event_id, action)
select gen_random_uuid(), at, account_id, event_id, 'event changed' from filler where number % 2 = 0;
insert into hook_deliveries (hook_id, hook_event_id, attempts, queued_at, trying_since, due_at, tried_at, delivered_at, status)
select '01900000-0000-7000-8000-000000000001', h.id, 1, h.created_at, h.created_at, h.created_at, h.created_at, h.created_at, 200
  from hook_events h where h.event_id in (select event_id from filler);
drop table filler;
analyze;
