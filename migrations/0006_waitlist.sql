-- Parties that wait for seats. Their order is `place`: it is taken under a lock that whoever reads the list holds
-- alone, so that nobody appears in front of a party that was seen.
alter table events
    add column waitlist                boolean not null default true,
    add column offer_seconds           integer check (offer_seconds > 0),
    add column waitlist_cutoff_seconds integer not null default 3600 check (waitlist_cutoff_seconds >= 0),
    -- Redis keeps what comes free for the list: from the first party's coming until the last has gone and Redis knows.
    add column waits                   boolean not null default false;
create index events_with_a_list on events (id) where waits;

create table waitlist (
    id          uuid        primary key,
    event_id    uuid        not null references events (id),
    place       bigint      not null generated always as identity,
    account_id  uuid        not null references accounts (id),
    quantity    integer     not null check (quantity > 0),
    section     text,
    category    text,
    max_price   bigint      check (max_price >= 0),
    state       text        not null default 'waiting'
                check (state in ('waiting', 'offered', 'served', 'declined', 'lapsed', 'left', 'closed')),
    tries       integer     not null default 0,     -- offers that were made and that nobody wrote down in time
    passed_over text,                               -- why seats went to parties behind this one
    joined_at   timestamptz not null default now()
);
-- One live entry for each customer and event.
create unique index waitlist_one_live on waitlist (event_id, account_id) where state in ('waiting', 'offered');
-- For the pass that serves the list, and for positions in it.
create index waitlist_waiting on waitlist (event_id, place) where state = 'waiting';
create index waitlist_by_account on waitlist (account_id, id);

-- A hold that was made for a party. It is taken up by checking it out.
create table offers (
    hold_id    uuid        primary key,
    event_id   uuid        not null references events (id),
    entry_id   uuid        not null references waitlist (id),
    account_id uuid        not null references accounts (id),
    amount     bigint      not null check (amount >= 0),
    state      text        not null default 'open' check (state in ('open', 'taken_up', 'declined', 'lapsed')),
    order_id   uuid,
    made_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint taken_up_by_an_order check ((state = 'taken_up') = (order_id is not null))
);
create unique index offers_one_open_per_entry on offers (entry_id) where state = 'open';
create index offers_by_entry on offers (entry_id);
create index offers_open on offers (expires_at) where state = 'open';

-- The seats of open offers. The primary key is the promise that no seat is offered to two parties at a time.
create table offered_seats (
    event_id uuid    not null,
    ordinal  integer not null check (ordinal >= 0),
    hold_id  uuid    not null references offers (hold_id),
    primary key (event_id, ordinal)
);
create index offered_seats_by_offer on offered_seats (hold_id);

-- Every move of a party, with who caused it: the proof of the order. Rows are never changed.
create table waitlist_log (
    event_id   uuid        not null,
    entry_id   uuid        not null references waitlist (id),
    step       integer     not null,
    at         timestamptz not null default clock_timestamp(),
    from_state text,
    to_state   text        not null,
    cause      text        not null,
    actor      text        not null,      -- an account's id, or 'clock'
    hold_id    uuid,
    primary key (entry_id, step),
    constraint waitlist_moves_along_the_graph check ((from_state, to_state) in (
        ('waiting', 'offered'), ('waiting', 'left'), ('waiting', 'closed'), ('waiting', 'waiting'),
        ('offered', 'served'), ('offered', 'declined'), ('offered', 'lapsed'))
        or (from_state is null and to_state = 'waiting'))
);
create index waitlist_log_by_event on waitlist_log (event_id, at);
