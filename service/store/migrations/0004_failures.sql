-- Failed messages by cause: one row from the first failure until somebody was told that it has passed.
create table failures (
    cause text not null primary key,
    kind text,
    messages integer not null,
    first_at_ms integer not null,
    last_at_ms integer not null,
    told_at_ms integer,
    leased_until_ms integer not null default 0
);
