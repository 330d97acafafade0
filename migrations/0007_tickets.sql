-- Codes of one ticket are counted: whoever is moved to another seat gets the next one, and only the last opens a door.
-- It rides in the code in two bytes.
alter table tickets
    add column issue integer not null default 1,
    add constraint tickets_issue_fits_its_code check (issue between 1 and 65535);

-- What somebody types who cannot scan: the last twelve letters of a code.
create index tickets_by_typed_code on tickets (right(code, 12));

-- What happened to each ticket at a door or a desk, also what was refused. `seen_at` is when a device saw it, which may be
-- long before it could tell us; `at` is when we were told. Only such a move has seats.
create table ticket_log (
    id           bigint      primary key generated always as identity,
    event_id     uuid        not null,
    ticket_id    uuid        not null,
    order_id     uuid        not null,
    at           timestamptz not null default now(),
    what         text        not null check (what in ('checked_in', 'undone', 'refused', 'moved', 'voided')),
    seen_at      timestamptz,
    actor        text        not null,      -- an account's id, 'stripe', 'clock' or 'reconciler', as in order_log
    reason       text,
    request_id   text,
    from_ordinal integer,
    to_ordinal   integer,
    from_seat    text,
    to_seat      text,
    foreign key (event_id, ticket_id) references tickets (event_id, id),
    constraint only_moves_have_seats check ((what = 'moved') = (from_ordinal is not null and to_ordinal is not null
        and from_seat is not null and to_seat is not null)),
    constraint a_change_by_hand_has_a_reason check (what <> 'undone' or reason is not null)
);
create index ticket_log_by_ticket on ticket_log (event_id, ticket_id, id);
-- For showing an order: the seats that it has left.
create index ticket_log_moves on ticket_log (event_id, order_id) where what = 'moved';

-- A history that can be changed proves nothing.
create function ticket_log_is_only_added_to() returns trigger language plpgsql as $$
begin
    raise exception 'rows of ticket_log are never changed';
end
$$;
create trigger ticket_log_is_only_added_to before update or delete on ticket_log
    for each row execute function ticket_log_is_only_added_to();

-- Who was let in before there was a log.
insert into ticket_log (event_id, ticket_id, order_id, at, what, seen_at, actor)
select event_id, id, order_id, checked_in_at, 'checked_in', checked_in_at, checked_in_by::text
  from tickets where checked_in_at is not null;

-- A desk and a printer know a ticket's id and nothing else.
create index tickets_by_id on tickets (id);
