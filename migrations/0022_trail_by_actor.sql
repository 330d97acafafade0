-- no-transaction
-- For the log of what one person did.
create index concurrently if not exists trail_by_actor on trail (actor_id, at, id);
