-- What customers are to be told by mail: written in the transaction of the decision, sent afterwards.
-- A row names its occasion and its subject, not its words: what is said is read when it is sent.
create table letters (
    id         uuid        primary key,               -- also the Message-ID: a letter sent twice is known as one
    occasion   text        not null,
    subject    uuid        not null,                  -- an account, an order, a refund or a hold
    account_id uuid        not null references accounts (id) on delete cascade,   -- nobody is written to about nobody
    event_id   uuid        references events (id),
    payload    jsonb       not null default '{}',     -- what no store will say later
    created_at timestamptz not null default now(),
    due_at     timestamptz not null default now(),
    attempts   integer     not null default 0,
    sent_at    timestamptz,
    skipped_at timestamptz,                           -- it had become untrue, or mail is off: last_error says which
    parked_at  timestamptz,                           -- refused for good: a person must look
    last_error text,
    -- One cause, one letter, whatever repeats.
    constraint letters_once_per_cause unique (occasion, subject),
    -- A letter ends once, in one way.
    constraint letters_end_in_one_way check (num_nonnulls(sent_at, skipped_at, parked_at) <= 1)
);
-- For the mailer, which reads only what is still owed.
create index letters_due on letters (due_at)
    where sent_at is null and skipped_at is null and parked_at is null;
-- For the count of what waits for a person.
create index letters_parked on letters (parked_at) where parked_at is not null;
-- For tidying up.
create index letters_by_age on letters (created_at);
