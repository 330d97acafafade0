-- no-transaction
-- For the count of what waits, parked events among it.
create index concurrently if not exists stripe_events_open on stripe_events (received_at) where done_at is null;
