-- A claim is a mark on its event's entry: one row less for each event, and one index less that is written at random.
alter table events add column claimed_at_ms integer;
update events set claimed_at_ms = (select claimed_at_ms from claims where claims.event_id = events.event_id);
insert into events (event_id, kind, account, state, received_at_ms, processed_at_ms, claimed_at_ms)
    select event_id, 'unknown', 'unknown', 'processed', claimed_at_ms, claimed_at_ms, claimed_at_ms from claims
    where event_id not in (select event_id from events);
drop table claims;
create index events_by_claim on events (claimed_at_ms) where claimed_at_ms is not null;

-- As it was, to look at.
create view claims as select event_id, claimed_at_ms from events where claimed_at_ms is not null;

-- A direct message's account and mid are what its event's identity is made of: no second key has to say so.
alter table direct_messages rename to older_direct_messages;
create table direct_messages (
    account text not null,
    mid text not null,
    event_id text,
    person text,
    direction text,
    sent_at_ms integer,
    text text,
    attachments text,
    reply_to_mid text,
    reply_to_story text,
    quick_reply text,
    num_edit integer not null default 0,
    edited_at_ms integer,
    unsent_at_ms integer,
    primary key (account, mid)
);
insert into direct_messages select * from older_direct_messages;
drop table older_direct_messages;
create index direct_messages_by_person on direct_messages (account, person, sent_at_ms);
