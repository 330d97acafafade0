-- Who may do what. An address names one person, however it is spelled in capitals.
create table accounts (
    id            uuid        primary key,
    name          text        not null check (name <> ''),
    email         text        not null,
    password_hash text        not null,
    role          text        not null check (role in ('customer', 'organiser', 'admin')),
    disabled_at   timestamptz,
    created_at    timestamptz not null default now()
);
create unique index accounts_email on accounts (lower(email));

-- Refresh tokens, by hash: a stolen copy of this table signs nobody in. A token is used once;
-- using it again revokes every token of its family.
create table refresh_tokens (
    id         uuid        primary key,
    family     uuid        not null,
    account_id uuid        not null references accounts (id),
    token_hash bytea       not null,
    issued_at  timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz,
    revoked_at timestamptz,
    constraint refresh_tokens_hash unique (token_hash)
);
create index refresh_tokens_family on refresh_tokens (family);

-- What a call with an Idempotency-Key answered, so that its repeat gets the same answer.
-- resource_id is chosen before the effect: a repeat after a crash makes the same thing, not a second one.
-- The answer is encrypted, because it may hold tokens that are stored nowhere else in the clear.
create table idempotency_keys (
    scope        text        not null,
    key          text        not null,
    fingerprint  bytea       not null,
    resource_id  uuid        not null,
    runner       uuid        not null,       -- the run that holds the lock; only it may let go
    locked_until timestamptz not null,
    status       smallint,
    answer       bytea,
    expires_at   timestamptz not null,
    primary key (scope, key),
    constraint answered_whole check ((status is null) = (answer is null))
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
