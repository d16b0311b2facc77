"""The consumer service: Instagram's webhook in front, QStash in between, event processing behind."""
