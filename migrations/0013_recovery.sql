-- A number that only grows, and that every picture in Redis is told after it was raised here. Whoever has a smaller one
-- than the other has lost what it had acknowledged: a backup was restored, or a standby took over that missed the end.
-- One row, so that there is one number.
create table witness (
    only_row  boolean     primary key default true,
    number    bigint      not null default 0,
    told      bigint      not null default 0,      -- the last that all pictures were told
    raised_at timestamptz not null default '-infinity',
    constraint witness_is_one_row check (only_row),
    constraint witness_is_raised_before_it_is_told check (told <= number)
);
insert into witness default values;

-- What a person needs to know of money that was parked: for which order, and of which event, it was once taken.
alter table parked_payments add column order_id uuid;
alter table parked_payments add column event_id uuid;
