-- no-transaction
-- For the pass that calls off the orders of cancelled events, and the count of those orders: few events are ever cancelled.
create index concurrently if not exists events_cancelled on events (id) where state = 'cancelled';
