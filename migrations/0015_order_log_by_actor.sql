-- no-transaction
-- For whoever reads what one account has done.
create index concurrently if not exists order_log_by_actor on order_log (actor, at);
