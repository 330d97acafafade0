-- What a customer checks out. `hold_id` is unique: a repeated checkout is the same order.
create table orders (
    event_id     uuid        not null references events (id),
    id           uuid        not null,
    account_id   uuid        not null references accounts (id),
    hold_id      uuid        not null,
    state        text        not null default 'awaiting_payment'
                 check (state in ('awaiting_payment', 'closing', 'confirmed', 'failed', 'cancelled',
                                  'expired', 'refunding', 'refunded')),
    closing_as   text        check (closing_as in ('failed', 'cancelled', 'expired')),
    amount       bigint      not null check (amount >= 0),
    currency     text        not null,
    pay_by       timestamptz not null,
    attempt      integer     not null default 1 check (attempt > 0),
    request_id   text        not null,
    created_at   timestamptz not null default now(),
    check_at     timestamptz not null,   -- when somebody must look at it next: Stripe is asked, or time is up
    primary key (event_id, id),
    constraint orders_one_per_hold unique (event_id, hold_id),
    constraint closing_says_how_it_ends check ((state = 'closing') <= (closing_as is not null))
);
create index orders_by_id on orders (id);
create index orders_by_account on orders (account_id, id);
-- For the pass that attends to open orders, which reads only what can still change.
create index orders_open on orders (check_at) where state in ('awaiting_payment', 'closing');

-- What was priced: the price shown is the price charged, whatever the chart says later.
create table order_seats (
    event_id uuid    not null,
    order_id uuid    not null,
    ordinal  integer not null check (ordinal >= 0),
    seat_id  text    not null,
    section  text    not null,
    row_name text,
    seat     text,
    category text    not null,
    price    bigint  not null check (price >= 0),
    primary key (event_id, order_id, ordinal),
    foreign key (event_id, order_id) references orders (event_id, id)
);

-- One row per seat that is spoken for. The primary key is the promise that no seat is sold twice;
-- everything around it may be slow or late. A blocked seat is a claim too, so that one key guards all.
create table seat_claims (
    event_id   uuid    not null references events (id),
    ordinal    integer not null check (ordinal >= 0),
    order_id   uuid,
    state      text    not null check (state in ('held', 'sold', 'blocked')),
    until      timestamptz,
    reason     text,
    primary key (event_id, ordinal),
    foreign key (event_id, order_id) references orders (event_id, id),
    constraint only_held_claims_end check ((state = 'held') = (until is not null)),
    constraint blocked_claims_have_no_order check ((state = 'blocked') = (order_id is null))
);
create index seat_claims_by_order on seat_claims (event_id, order_id);

-- One ticket a sold seat. At most one valid ticket an (event, seat).
create table tickets (
    event_id   uuid        not null,
    id         uuid        not null,
    order_id   uuid        not null,
    ordinal    integer     not null,
    code       text        not null,
    state      text        not null default 'valid' check (state in ('valid', 'void')),
    issued_at  timestamptz not null default now(),
    primary key (event_id, id),
    foreign key (event_id, order_id, ordinal) references order_seats (event_id, order_id, ordinal),
    constraint tickets_code unique (event_id, code)
);
create unique index tickets_one_valid_per_seat on tickets (event_id, ordinal) where state = 'valid';
create index tickets_by_order on tickets (event_id, order_id);

-- The audit trail: every move of an order, with who caused it and in which request. Rows are never changed.
create table order_log (
    event_id   uuid        not null,
    order_id   uuid        not null,
    step       integer     not null,
    at         timestamptz not null default now(),
    from_state text,
    to_state   text        not null,
    cause      text        not null,
    actor      text        not null,      -- an account's id, 'stripe', 'clock' or 'reconciler'
    request_id text,
    primary key (event_id, order_id, step),
    foreign key (event_id, order_id) references orders (event_id, id),
    constraint moves_along_the_graph check ((from_state, to_state) in (
        ('awaiting_payment', 'confirmed'), ('awaiting_payment', 'closing'),
        ('closing', 'confirmed'),
        ('closing', 'failed'), ('closing', 'cancelled'), ('closing', 'expired'),
        ('failed', 'confirmed'), ('expired', 'confirmed'),
        ('failed', 'refunding'), ('cancelled', 'refunding'), ('expired', 'refunding'),
        ('confirmed', 'cancelled'), ('refunding', 'refunded'))
        or (from_state is null and to_state = 'awaiting_payment'))
);
