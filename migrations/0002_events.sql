-- An event is one performance. `number` is short enough to ride inside a hold's id, so that a hold
-- names its event without an index. `epoch` counts the rebuilds of its picture in Redis.
create table events (
    id               uuid        primary key,
    number           integer     not null generated always as identity,
    organiser_id     uuid        not null references accounts (id),
    title            text        not null check (title <> ''),
    description      text        not null default '',
    venue            text        not null default '',
    starts_at        timestamptz not null,
    ends_at          timestamptz,
    sale_starts_at   timestamptz,
    sale_ends_at     timestamptz,
    currency         text        not null check (currency ~ '^[a-z]{3}$'),
    max_per_customer integer     check (max_per_customer > 0),
    hold_seconds     integer     check (hold_seconds > 0),
    orphan_rule      boolean     not null default true,
    state            text        not null default 'published' check (state in ('published', 'cancelled')),
    epoch            integer     not null default 0,
    seats            integer     not null check (seats > 0),
    created_at       timestamptz not null default now(),
    constraint events_number unique (number),
    constraint ends_after_start check (ends_at is null or ends_at >= starts_at)
);
create index events_by_start on events (starts_at, id);
create index events_by_organiser on events (organiser_id, id);

-- The compiled chart: one immutable document an event. Ordinals are part of it, never computed
-- again, because every claim and every bit in Redis points at them.
create table charts (
    event_id uuid    primary key references events (id),
    version  integer not null default 1,
    document bytea   not null,      -- gzipped JSON, the shape of catalog::Chart
    etag     text    not null
);
