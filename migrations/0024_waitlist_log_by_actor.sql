-- no-transaction
-- For the log of what one person did.
create index concurrently if not exists waitlist_log_by_actor on waitlist_log (actor, at);
