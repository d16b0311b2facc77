-- What many messages share stands once: a trait is one combination of the fields that listings filter by, and the log
-- carries its number, so that a page of any filter is read along an index however long the log is. How a message is
-- sent (options) is one JSON text. What passes a queue or a flow-control key first has a row in gated; nothing else
-- pays for these.

create table traits (
  trait integer primary key,
  account integer not null,
  key text not null unique,
  url text not null,
  host text not null,
  path text not null,
  url_group text,
  endpoint text,
  queue text,
  schedule_id text,
  flow_control_key text,
  caller_ip text,
  labels text
) strict;

create index traits_url on traits (account, url);
create index traits_host on traits (account, host);
create index traits_path on traits (account, path);
create index traits_caller on traits (account, caller_ip);
create index traits_group on traits (account, url_group) where url_group is not null;
create index traits_queue on traits (account, queue) where queue is not null;
create index traits_schedule on traits (account, schedule_id) where schedule_id is not null;
create index traits_flow on traits (account, flow_control_key) where flow_control_key is not null;

create table trait_labels (
  account integer not null,
  label text not null,
  trait integer not null,
  primary key (account, label, trait)
) strict, without rowid;

create temp table old_keys as
  select seq, 'of version 1: ' || json_array(account, url, host, path, url_group, endpoint, queue, schedule_id,
    flow_control_key, caller_ip, json(labels)) as key from messages;

insert into traits (account, key, url, host, path, url_group, endpoint, queue, schedule_id, flow_control_key, caller_ip, labels)
  select m.account, k.key, m.url, m.host, m.path, m.url_group, m.endpoint, m.queue, m.schedule_id, m.flow_control_key,
    m.caller_ip, m.labels
  from messages m join old_keys k on k.seq = m.seq group by k.key;

insert into trait_labels (account, label, trait)
  select distinct t.account, own.value, t.trait from traits t, json_each(t.labels) own;

create table new_messages (
  seq integer primary key,
  account integer not null,
  id text not null,
  trait integer not null,
  created_ms integer not null,
  not_before_ms integer not null,
  options text not null,
  headers text not null,
  body blob not null
) strict;

insert into new_messages (seq, account, id, trait, created_ms, not_before_ms, options, headers, body)
  select m.seq, m.account, m.id, t.trait, m.created_ms, m.not_before_ms,
    json_object('method', m.method, 'max_retries', m.max_retries, 'retry_delay', m.retry_delay,
      'timeout_s', m.timeout_s, 'flow_control', json(m.flow_control), 'callback', json(m.callback),
      'failure_callback', json(m.failure_callback), 'redact', json(m.redact)),
    m.headers, m.body
  from messages m join old_keys k on k.seq = m.seq join traits t on t.key = k.key;

-- due_ms is null once a message is finished; until then the row stays due while it is attempted, so that an attempt
-- whose outcome a crash has swallowed is repeated without further ado. stage: 0, it goes when it is due; 1, when due it has
-- to pass its gates first; 2, it waits at one. gated: it has a row in gated. After prune_ms nobody asks for it any more.
create table new_progress (
  message integer primary key,
  account integer not null,
  retried integer not null default 0,
  due_ms integer,
  stage integer not null default 0,
  gated integer not null default 0,
  cancel_requested_ms integer,
  finished_ms integer,
  prune_ms integer
) strict;

insert into new_progress (message, account, retried, due_ms, cancel_requested_ms, finished_ms, prune_ms)
  select message, account, retried, due_ms, cancel_requested_ms, finished_ms, finished_ms + 14 * 86400000 from progress;

-- seq is the commit sequence: what a cursor counts by. A row holds only what changed.
create table new_log (
  seq integer primary key,
  account integer not null,
  message integer not null,
  trait integer not null,
  time_ms integer not null,
  state text not null,
  next_ms integer,
  status integer,
  error text,
  response_headers text,
  response_body blob
) strict;

insert into new_log (seq, account, message, trait, time_ms, state, next_ms, status, error, response_headers, response_body)
  select l.seq, l.account, l.message, m.trait, l.time_ms, l.state, l.next_ms, l.status, l.error, l.response_headers,
    l.response_body
  from log l join new_messages m on m.seq = l.message;

-- n is never given twice, so that the id of a deleted entry stays unknown.
create table new_dead_letters (
  n integer primary key autoincrement,
  account integer not null,
  message integer not null unique,
  time_ms integer not null,
  status integer not null,
  response_headers text not null,
  response_body blob not null
) strict;

insert into new_dead_letters select * from dead_letters;
update sqlite_sequence set seq = (select old.seq from sqlite_sequence old where old.name = 'dead_letters')
  where name = 'new_dead_letters' and exists (select 1 from sqlite_sequence old where old.name = 'dead_letters');
insert into sqlite_sequence (name, seq)
  select 'new_dead_letters', old.seq from sqlite_sequence old
  where old.name = 'dead_letters' and not exists (select 1 from sqlite_sequence where name = 'new_dead_letters');

drop table temp.old_keys;
drop table dead_letters;
drop table log;
drop table progress;
drop table messages;
alter table new_messages rename to messages;
alter table new_progress rename to progress;
alter table new_log rename to log;
alter table new_dead_letters rename to dead_letters;

create unique index messages_id on messages (id);
create index pending on progress (stage, due_ms, message, account) where due_ms is not null;
create index prunable on progress (prune_ms) where prune_ms is not null;
create index log_message on log (message);
create index log_state on log (account, state);
create index log_trait on log (trait);

-- The times of each 4,096 lines of the log. The order of the log is that of its commits, and only nearly that of time:
-- by its spans a listing between two dates knows where to begin and to end.
create table log_spans (
  span integer primary key,
  from_ms integer not null,
  to_ms integer not null
) strict;

insert into log_spans (span, from_ms, to_ms) select seq >> 12, min(time_ms), max(time_ms) from log group by seq >> 12;

-- deleted: nobody sees it any more; it goes once its last message is over.
create table queues (
  queue integer primary key,
  account integer not null,
  name text not null,
  created_ms integer not null,
  updated_ms integer not null,
  parallelism integer not null default 1,
  paused integer not null default 0,
  deleted integer not null default 0,
  unique (account, name)
) strict;

-- Of a key's limits, a null one is not set. The window of the rate began at window_ms and has seen window_count calls; one
-- that has not begun, since nobody was called in it yet, has a negative count.
-- wake_ms: messages wait, and the rate lets the next one pass then. seen_day: when a message named it last, in days.
create table flow_keys (
  flow integer primary key,
  account integer not null,
  key text not null,
  parallelism integer,
  rate integer,
  period_s integer not null default 1,
  pinned_parallelism integer not null default 0,
  pinned_rate integer not null default 0,
  paused integer not null default 0,
  window_ms integer not null default 0,
  window_count integer not null default 0,
  wake_ms integer,
  seen_day integer not null default 0,
  unique (account, key)
) strict;

create index flow_wakes on flow_keys (wake_ms) where wake_ms is not null;
create index flow_seen on flow_keys (seen_day) where pinned_parallelism = 0 and pinned_rate = 0 and paused = 0;

-- An unfinished message with a queue or a flow-control key. place: the message whose place in the queue it holds: its
-- own, or as a callback that of the message it tells of. waits: at which gate it stands (1 queue, 2 flow control), in the
-- order of its ticket. passed: 1, it has passed its gates and may be called; 2, its call has begun.
create table gated (
  message integer primary key,
  queue integer,
  flow integer,
  place integer,
  waits integer not null default 0,
  ticket integer,
  passed integer not null default 0
) strict;

create index gated_queue on gated (queue, place) where queue is not null;
create index gated_passed on gated (flow, passed) where passed > 0;
create index gated_at_queue on gated (queue, ticket) where waits = 1;
create index gated_at_flow on gated (flow, ticket) where waits = 2;

create table url_groups (
  url_group integer primary key,
  account integer not null,
  name text not null,
  created_ms integer not null,
  updated_ms integer not null,
  headers text not null default '[]',
  unique (account, name)
) strict;

create table endpoints (
  endpoint integer primary key,
  url_group integer not null references url_groups,
  url text not null,
  name text,
  unique (url_group, url)
) strict;

-- headers are the option headers of the request that made the schedule. last_messages: ids of the latest run.
create table schedules (
  schedule integer primary key,
  account integer not null,
  id text not null,
  cron text not null,
  destination text not null,
  headers text not null,
  body blob not null,
  created_ms integer not null,
  caller_ip text,
  paused integer not null default 0,
  next_ms integer,
  last_ms integer,
  last_messages text not null default '[]',
  error text,
  unique (account, id)
) strict;

create index schedules_next on schedules (next_ms) where next_ms is not null and paused = 0;

-- Workflow: who waits for an event until deadline_ms, and what a run was notified of before it waited.
create table waiters (
  waiter integer primary key,
  account integer not null,
  event text not null,
  run text,
  deadline_ms integer not null,
  request text not null
) strict;

create index waiters_event on waiters (account, event);
create index waiters_run on waiters (account, run, event) where run is not null;
create index waiters_deadline on waiters (deadline_ms);

create table notifications (
  notification integer primary key,
  account integer not null,
  run text not null,
  event text not null,
  body blob not null,
  until_ms integer not null
) strict;

create index notifications_event on notifications (account, run, event);
create index notifications_until on notifications (until_ms);

create table daily (
  account integer not null,
  day integer not null,
  messages integer not null,
  primary key (account, day)
) strict, without rowid;
