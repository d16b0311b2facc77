-- What a message is (messages) stands apart from how far it has come (progress): a settled attempt rewrites one
-- narrow row, never a body of 10 MiB.

create table accounts (
  account integer primary key,
  name text not null unique,
  signing_current text not null,
  signing_next text not null
) strict;

create table messages (
  seq integer primary key,
  account integer not null references accounts,
  id text not null unique,
  created_ms integer not null,
  not_before_ms integer not null,
  url text not null,
  host text not null,
  path text not null,
  method text not null,
  max_retries integer not null,
  retry_delay text,
  timeout_s integer,
  caller_ip text,
  url_group text,
  endpoint text,
  queue text,
  schedule_id text,
  labels text,
  flow_control_key text,
  flow_control text,
  callback text,
  failure_callback text,
  redact text,
  headers text not null,
  body blob not null
) strict;

-- due_ms is null once a message is finished; until then the row stays due while it is attempted, so that an attempt
-- whose outcome a crash has swallowed is repeated without further ado.
create table progress (
  message integer primary key references messages,
  account integer not null references accounts,
  retried integer not null default 0,
  due_ms integer,
  cancel_requested_ms integer,
  finished_ms integer
) strict;

create index pending on progress (due_ms) where due_ms is not null;

-- seq is the commit sequence: what a cursor counts by. A row holds only what changed.
create table log (
  seq integer primary key,
  account integer not null references accounts,
  message integer not null references messages,
  time_ms integer not null,
  state text not null,
  next_ms integer,
  status integer,
  error text,
  response_headers text,
  response_body blob
) strict;

create index log_message on log (message);
create index log_state on log (account, state);

-- n is never given twice, so that the id of a deleted entry stays unknown.
create table dead_letters (
  n integer primary key autoincrement,
  account integer not null references accounts,
  message integer not null unique references messages,
  time_ms integer not null,
  status integer not null,
  response_headers text not null,
  response_body blob not null
) strict;

create table deduplications (
  account integer not null references accounts,
  key text not null,
  message_id text not null,
  until_ms integer not null,
  primary key (account, key)
) strict, without rowid;

create index deduplications_until on deduplications (until_ms);
