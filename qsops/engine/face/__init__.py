"""The face: requests in, answers out, one file a noun. It speaks in values of ``wire``; sockets are ``asgi``'s."""
