-- A thousand orders that wait for their money, for pgbench to confirm, numbered from where the last ones ended.
create sequence if not exists turn;
create table if not exists to_pay (n bigint primary key, event_id uuid, order_id uuid, account_id uuid, intent text);
insert into accounts (id, name, email, password_hash, role)
values ('00000000-0000-4000-8000-000000000001', 'Organiser', 'o@example.com', 'none', 'organiser') on conflict do nothing;
insert into events (id, organiser_id, title, starts_at, currency, seats)
values ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'Evening', now() + interval '1 year', 'eur', 100000)
on conflict do nothing;
insert into to_pay
select n, '00000000-0000-4000-8000-000000000002', gen_random_uuid(), '00000000-0000-4000-8000-000000000001', 'pi_' || n
  from generate_series((select coalesce(max(n), 0) + 1 from to_pay), (select coalesce(max(n), 0) + 1000 from to_pay)) n;
insert into orders (event_id, id, account_id, hold_id, amount, currency, pay_by, request_id, check_at)
select event_id, order_id, account_id, gen_random_uuid(), 4800, 'eur', now() + interval '10 minutes', 'none', now() + interval '10 minutes'
  from to_pay where n > (select count(*) from orders);
insert into order_seats
select event_id, order_id, n, 'stalls-1-' || n, 'stalls', '1', n::text, 'all', 4800 from to_pay where n > (select count(*) from order_seats);
insert into seat_claims (event_id, ordinal, order_id, state, until)
select event_id, n, order_id, 'held', now() + interval '10 minutes' from to_pay where n > (select count(*) from seat_claims);
insert into payments (event_id, order_id, attempt, payment_intent, amount, currency, state)
select event_id, order_id, 1, intent, 4800, 'eur', 'open' from to_pay where n > (select count(*) from payments);
insert into order_log (event_id, order_id, step, to_state, cause, actor)
select event_id, order_id, 1, 'awaiting_payment', 'checkout', 'none' from to_pay
 where n > (select count(*) from order_log where step = 1);
analyze;
