-- no-transaction
-- For whoever looks at an event's list, with those who have gone.
create index concurrently if not exists waitlist_by_event on waitlist (event_id, place);
