-- Direct messages, in whatever order their events come. A message that was taken back keeps no word of itself.
create table direct_messages (
    account text not null,
    mid text not null,
    event_id text unique,
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
create index direct_messages_by_person on direct_messages (account, person, sent_at_ms);

-- The latest word of each person on each message; a reaction that was taken back stays as a row without emoji.
create table reactions (
    account text not null,
    mid text not null,
    sender text not null,
    event_id text not null unique,
    reaction text,
    emoji text,
    reacted_at_ms integer not null,
    primary key (account, mid, sender)
);

create table reads (
    account text not null,
    person text not null,
    mid text not null,
    event_id text not null unique,
    read_at_ms integer not null,
    primary key (account, person)
);

create table postbacks (
    event_id text not null primary key,
    account text not null,
    person text,
    mid text,
    title text,
    payload text,
    pressed_at_ms integer not null
);

create table comments (
    account text not null,
    comment_id text not null,
    event_id text not null unique,
    is_live integer not null,
    media_id text,
    parent_id text,
    sender text,
    username text,
    text text,
    written_at_ms integer not null,
    primary key (account, comment_id)
);

-- Referrals, opt-ins, hand-overs, mentions, insights, and what nobody knew yet: as it came.
create table other_events (
    event_id text not null primary key,
    kind text not null,
    account text not null,
    occurred_at_ms integer not null,
    payload text not null
);
