-- Rows of one conversation are sent in the order of their ids; a lease keeps a row with one relay until it runs out.
alter table outbox add column conversation text;
alter table outbox add column leased_until_ms integer;
create index outbox_by_conversation on outbox (conversation, id) where conversation is not null;

-- Old claims and callbacks are pruned by age, without a look at the others.
create index claims_by_age on claims (claimed_at_ms);
create index callbacks_by_age on callbacks (reported_at_ms);
