-- An event may be prepared before anybody sees it.
alter table events drop constraint events_state_check;
alter table events add constraint events_state check (state in ('draft', 'published', 'cancelled'));

-- What was signed before this moment speaks for nobody: an account that is disabled or has another role.
alter table accounts add column tokens_void_before timestamptz;
create index accounts_voided on accounts (tokens_void_before) where tokens_void_before is not null;

-- Seats that were given away, and why.
alter table orders add column comp_reason text;

-- What organisers and administrators have done. Rows are never changed.
create table trail (
    id         uuid        primary key,
    at         timestamptz not null default clock_timestamp(),
    actor_id   uuid        not null references accounts (id),
    event_id   uuid,
    action     text        not null,
    subject_id uuid,
    detail     jsonb       not null default '{}'
);
create index trail_by_event on trail (event_id, id);
