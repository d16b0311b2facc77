-- How many are parked is asked more often than any is.
create index outbox_parked on outbox (id) where due_at_ms is null;
