"""How an attempt leaves: one port, and an adapter each for sockets, ASGI apps in-process and scripted receivers."""
