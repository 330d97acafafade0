-- Other systems that want to be told what happens: an endpoint, what it wants to hear, and what it is signed with.
create table hooks (
    id               uuid        primary key,
    account_id       uuid        not null references accounts (id),
    url              text        not null,
    description      text        not null default '',
    types            text[]      not null,              -- '*' is every type, also those that come later
    for_all          boolean     not null,              -- an administrator's: hears everybody's events
    secret           bytea       not null,              -- sealed: needed to sign, of no use in a stolen copy
    old_secret       bytea,                             -- also signs for a while after it was replaced
    old_secret_until timestamptz,
    rolled_by        uuid,                              -- the call that replaced it: its repeat replaces nothing
    state            text        not null default 'enabled' check (state in ('enabled', 'disabled')),
    since            timestamptz not null default now(),
    reason           text,
    failures         integer     not null default 0,    -- in a row
    failing_since    timestamptz,
    created_at       timestamptz not null default now(),
    constraint hooks_hear_something check (cardinality(types) > 0),
    constraint disabled_hooks_say_why check ((state = 'disabled') = (reason is not null)),
    constraint old_secrets_end check ((old_secret is null) = (old_secret_until is null)),
    constraint failing_hooks_say_since check ((failures > 0) = (failing_since is not null))
);
create index hooks_by_account on hooks (account_id, id);
create index hooks_for_all on hooks (id) where for_all;

-- Who hears of which event. In one place, so that nobody is ever told of what is somebody else's.
create view hook_listeners as
select e.id as event_id, h.id as hook_id, h.state, h.types
  from events e join hooks h on h.account_id = e.organiser_id
       join accounts a on a.id = h.account_id and a.disabled_at is null
union all
select e.id, h.id, h.state, h.types
  from events e join hooks h on h.for_all and h.account_id <> e.organiser_id
       join accounts a on a.id = h.account_id and a.disabled_at is null and a.role = 'admin';

-- The log: what happened, once each, written with the decision itself.
create table hook_events (
    id         uuid        primary key,
    event_id   uuid        references events (id),      -- null: a ping, which is about nothing
    type       text        not null,
    data       jsonb       not null,
    note       text,
    created_at timestamptz not null default now(),
    -- A note of Redis' diary becomes one event, however often it is read: a crash between storing and trimming
    -- tells nothing twice.
    constraint hook_events_once_per_note unique (event_id, note)
);
create index hook_events_by_event on hook_events (event_id, id);
create index hook_events_by_age on hook_events (created_at);

-- What each endpoint is owed. No foreign key to hooks: an endpoint that is removed at this moment must not make a
-- payment's confirmation fail. What is left of a removed one is never sent, and goes with its events.
create table hook_deliveries (
    hook_id       uuid        not null,
    hook_event_id uuid        not null references hook_events (id) on delete cascade,
    replay        integer     not null default 0,       -- 0 is the first; each replay is another
    attempts      integer     not null default 0,
    queued_at     timestamptz not null default now(),
    trying_since  timestamptz not null default now(),   -- anew when its endpoint is enabled again
    due_at        timestamptz not null default now(),   -- the next try; while one is under way, the end of its lease
    tried_at      timestamptz,
    delivered_at  timestamptz,
    parked_at     timestamptz,
    status        smallint,
    last_error    text,
    primary key (hook_id, hook_event_id, replay),
    constraint delivered_or_parked check (delivered_at is null or parked_at is null)
);
-- An endpoint waits for an event once, whoever asks for a replay and how often.
create unique index hook_deliveries_one_waiting on hook_deliveries (hook_id, hook_event_id)
    where delivered_at is null and parked_at is null;
-- For the couriers.
create index hook_deliveries_due on hook_deliveries (hook_id, due_at)
    where delivered_at is null and parked_at is null;
create index hook_deliveries_by_event on hook_deliveries (hook_event_id);
