-- A PaymentIntent that we asked Stripe for. `payment_intent` is null between the wish and the answer;
-- the wish is enough to find it again, because its idempotency key is made of order and attempt.
create table payments (
    event_id       uuid        not null,
    order_id       uuid        not null,
    attempt        integer     not null check (attempt > 0),
    payment_intent text,
    client_secret  text,
    amount         bigint      not null check (amount > 0),
    currency       text        not null,
    state          text        not null default 'opening'
                   check (state in ('opening', 'open', 'processing', 'succeeded', 'canceled')),
    captured       bigint      not null default 0 check (captured >= 0),
    created_at     timestamptz not null default now(),
    primary key (event_id, order_id, attempt),
    foreign key (event_id, order_id) references orders (event_id, id),
    constraint payments_intent unique (payment_intent)
);
-- At most one PaymentIntent of an order can take money at a time.
create unique index payments_one_open on payments (event_id, order_id)
    where state in ('opening', 'open', 'processing');

-- Money that goes back. One cause makes at most one refund.
create table refunds (
    id             uuid        primary key,
    event_id       uuid        not null,
    order_id       uuid        not null,
    payment_intent text        not null,
    amount         bigint      not null check (amount > 0),
    currency       text        not null,
    cause          text        not null,
    state          text        not null default 'due'
                   check (state in ('due', 'pending', 'succeeded', 'failed')),
    stripe_refund  text,
    created_at     timestamptz not null default now(),
    check_at       timestamptz not null default now() + interval '30 seconds',   -- when to ask Stripe about it
    foreign key (event_id, order_id) references orders (event_id, id),
    constraint refunds_once_per_cause unique (payment_intent, cause),
    constraint refunds_stripe unique (stripe_refund)
);
create index refunds_by_order on refunds (event_id, order_id);
create index refunds_open on refunds (check_at) where state in ('due', 'pending');

-- The inbox: what Stripe told us, once each. An event is done, waiting for its next try, or parked for a person.
create table stripe_events (
    id           text        primary key,
    type         text        not null,
    object_id    text        not null,
    order_id     uuid,
    received_at  timestamptz not null default now(),
    due_at       timestamptz not null default now(),
    attempts     integer     not null default 0,
    done_at      timestamptz,
    parked_at    timestamptz,
    outcome      text
);
create index stripe_events_due on stripe_events (due_at) where done_at is null and parked_at is null;

-- The outbox: what a committed decision still owes to Redis, to Stripe or to a reader. Each kind is safe to repeat.
create table outbox (
    id         bigint      primary key generated always as identity,
    event_id   uuid        not null,
    order_id   uuid,
    kind       text        not null,
    payload    jsonb       not null default '{}',
    created_at timestamptz not null default now(),
    due_at     timestamptz not null default now(),
    attempts   integer     not null default 0,
    parked_at  timestamptz,
    last_error text
);
create index outbox_due on outbox (due_at) where parked_at is null;

-- Captured money that belongs to nobody we know. A person decides; an alarm counts the rows.
create table parked_payments (
    payment_intent text        primary key,
    amount         bigint      not null,
    currency       text        not null,
    reason         text        not null,
    parked_at      timestamptz not null default now(),
    resolved_at    timestamptz
);

-- Where a reconciler that walks Stripe's lists has got to.
create table reconciler_cursors (
    name       text        primary key,
    position   text        not null,
    updated_at timestamptz not null default now()
);
