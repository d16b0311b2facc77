-- A message that is an event is one by its entry in the ledger; only of the others does the outbox itself keep one. So
-- what Meta posts is written to one index less that is written at random.
alter table outbox rename to older_outbox;
create table outbox (
    id integer primary key autoincrement,
    deduplication_id text not null,
    event_id text,
    path text not null,
    headers text not null,
    body blob not null,
    created_at_ms integer not null,
    attempts integer not null default 0,
    due_at_ms integer,
    reason text,
    conversation text,
    leased_until_ms integer
);
insert into outbox select * from older_outbox;
-- The numbers of rows that are gone are not given again.
delete from sqlite_sequence where name = 'outbox';
insert into sqlite_sequence (name, seq) select 'outbox', seq from sqlite_sequence where name = 'older_outbox';
drop table older_outbox;
create unique index outbox_once on outbox (deduplication_id) where event_id is null;
create index outbox_by_due on outbox (due_at_ms) where due_at_ms is not null;
create index outbox_by_conversation on outbox (conversation, id) where conversation is not null;
create index outbox_parked on outbox (id) where due_at_ms is null;
