-- A claim is a mark on its event's entry: one row less for each event, and one index less that is written at random.
alter table events add column claimed_at_ms bigint;
update events set claimed_at_ms = claims.claimed_at_ms from claims where claims.event_id = events.event_id;
insert into events (event_id, kind, account, state, received_at_ms, processed_at_ms, claimed_at_ms)
    select event_id, 'unknown', 'unknown', 'processed', claimed_at_ms, claimed_at_ms, claimed_at_ms from claims
    on conflict (event_id) do nothing;
drop table claims;
create index events_by_claim on events (claimed_at_ms) where claimed_at_ms is not null;

-- As it was, to look at.
create view claims as select event_id, claimed_at_ms from events where claimed_at_ms is not null;

-- A direct message's account and mid are what its event's identity is made of: no second key has to say so.
alter table direct_messages drop constraint direct_messages_event_id_key;
