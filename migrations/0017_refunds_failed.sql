-- no-transaction
-- For the count of what waits for a person.
create index concurrently if not exists refunds_failed on refunds (id) where state = 'failed';
