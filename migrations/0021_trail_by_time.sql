-- no-transaction
-- For the log of the house, which is read newest first.
create index concurrently if not exists trail_by_time on trail (at, id);
