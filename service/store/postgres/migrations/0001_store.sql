-- The same tables as on SQLite, in its schema of version 4. Identities of events sort as bytes, as they do there.

-- The ledger: what became of each event. Rows come from the webhook, or from the consumer if it was first.
create table events (
    seq bigint generated always as identity primary key,
    event_id text collate "C" not null unique,
    kind text not null,
    account text not null,
    mid text,
    state text not null,
    received_at_ms bigint not null,
    message_id text,
    published_at_ms bigint,
    processed_at_ms bigint,
    deliveries integer not null default 0,
    reason text
);
create index events_by_mid on events (mid) where mid is not null;
create index events_by_message on events (message_id) where message_id is not null;

-- One row an event that was processed: whoever inserts it commits its effects, all others are duplicates.
create table claims (
    event_id text collate "C" not null primary key,
    claimed_at_ms bigint not null
);
create index claims_by_age on claims (claimed_at_ms);

-- What QStash has not taken yet. A request is kept as it will be sent; parked ones wait for a person. Rows of one
-- conversation are sent in the order of their ids; a lease keeps a row with one relay until it runs out.
create table outbox (
    id bigint generated always as identity primary key,
    deduplication_id text not null unique,
    event_id text collate "C",
    path text not null,
    headers text not null,
    body bytea not null,
    created_at_ms bigint not null,
    attempts integer not null default 0,
    due_at_ms bigint,
    reason text,
    conversation text,
    leased_until_ms bigint
);
create index outbox_by_due on outbox (due_at_ms) where due_at_ms is not null;
create index outbox_by_conversation on outbox (conversation, id) where conversation is not null;

-- What QStash reported of messages: once for each attempt it tells of.
create table callbacks (
    message_id text not null,
    retried integer not null,
    outcome text not null,
    event_id text collate "C",
    status integer not null,
    dlq_id text,
    reported_at_ms bigint not null,
    primary key (message_id, outcome, retried)
);
create index callbacks_by_age on callbacks (reported_at_ms);

-- Failed messages by cause: one row from the first failure until somebody was told that it has passed.
create table failures (
    cause text not null primary key,
    kind text,
    messages integer not null,
    first_at_ms bigint not null,
    last_at_ms bigint not null,
    told_at_ms bigint,
    leased_until_ms bigint not null default 0
);

-- Direct messages, in whatever order their events come. A message that was taken back keeps no word of itself.
create table direct_messages (
    account text not null,
    mid text not null,
    event_id text collate "C" unique,
    person text,
    direction text,
    sent_at_ms bigint,
    text text,
    attachments text,
    reply_to_mid text,
    reply_to_story text,
    quick_reply text,
    num_edit bigint not null default 0,
    edited_at_ms bigint,
    unsent_at_ms bigint,
    primary key (account, mid)
);
create index direct_messages_by_person on direct_messages (account, person, sent_at_ms);

-- The latest word of each person on each message; a reaction that was taken back stays as a row without emoji.
create table reactions (
    account text not null,
    mid text not null,
    sender text not null,
    event_id text collate "C" not null unique,
    reaction text,
    emoji text,
    reacted_at_ms bigint not null,
    primary key (account, mid, sender)
);

create table reads (
    account text not null,
    person text not null,
    mid text not null,
    event_id text collate "C" not null unique,
    read_at_ms bigint not null,
    primary key (account, person)
);

create table postbacks (
    event_id text collate "C" not null primary key,
    account text not null,
    person text,
    mid text,
    title text,
    payload text,
    pressed_at_ms bigint not null
);

create table comments (
    account text not null,
    comment_id text not null,
    event_id text collate "C" not null unique,
    is_live integer not null,
    media_id text,
    parent_id text,
    sender text,
    username text,
    text text,
    written_at_ms bigint not null,
    primary key (account, comment_id)
);

-- Referrals, opt-ins, hand-overs, mentions, insights, and what nobody knew yet: as it came.
create table other_events (
    event_id text collate "C" not null primary key,
    kind text not null,
    account text not null,
    occurred_at_ms bigint not null,
    payload text not null
);
