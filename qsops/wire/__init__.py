"""The dialect of QStash as plain data: requests and responses, both directions, without a socket."""
