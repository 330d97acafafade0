-- Who let somebody in, and when: a ticket opens a door once.
alter table tickets
    add column checked_in_at timestamptz,
    add column checked_in_by uuid references accounts (id),
    add constraint tickets_let_in_by_somebody check ((checked_in_at is null) = (checked_in_by is null));
-- A door knows a code and nothing else.
create index tickets_by_code on tickets (code);
