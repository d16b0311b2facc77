"""QStash on loopback: the whole service in one process and one SQLite file."""
