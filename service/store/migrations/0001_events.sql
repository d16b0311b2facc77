-- The ledger: what became of each event. Rows come from the webhook, or from the consumer if it was first.
create table events (
    seq integer primary key autoincrement,
    event_id text not null unique,
    kind text not null,
    account text not null,
    mid text,
    state text not null,
    received_at_ms integer not null,
    message_id text,
    published_at_ms integer,
    processed_at_ms integer,
    deliveries integer not null default 0,
    reason text
);
create index events_by_mid on events (mid) where mid is not null;
create index events_by_message on events (message_id) where message_id is not null;

-- One row an event that was processed: whoever inserts it commits its effects, all others are duplicates.
create table claims (
    event_id text not null primary key,
    claimed_at_ms integer not null
) without rowid;

-- What QStash has not taken yet. A request is kept as it will be sent; parked ones wait for a person.
create table outbox (
    id integer primary key autoincrement,
    deduplication_id text not null unique,
    event_id text,
    path text not null,
    headers text not null,
    body blob not null,
    created_at_ms integer not null,
    attempts integer not null default 0,
    due_at_ms integer,
    reason text
);
create index outbox_by_due on outbox (due_at_ms) where due_at_ms is not null;

-- What QStash reported of messages: once for each attempt it tells of.
create table callbacks (
    message_id text not null,
    retried integer not null,
    outcome text not null,
    event_id text,
    status integer not null,
    dlq_id text,
    reported_at_ms integer not null,
    primary key (message_id, outcome, retried)
) without rowid;
