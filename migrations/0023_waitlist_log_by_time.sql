-- no-transaction
-- For the log of the house, which is read newest first.
create index concurrently if not exists waitlist_log_by_time on waitlist_log (at);
