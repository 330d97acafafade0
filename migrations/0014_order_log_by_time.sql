-- no-transaction
-- For whoever reads what happened in the whole house, newest first.
create index concurrently if not exists order_log_by_time on order_log (at);
