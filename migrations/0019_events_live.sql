-- no-transaction
-- For the loops that ask which events can still change, several times a second: nearly all that there ever were are over.
create index concurrently if not exists events_live on events (greatest(ends_at, starts_at, created_at)) where state <> 'draft';
