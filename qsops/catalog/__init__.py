"""What an account sets up beside its messages: queues, schedules, URL groups, limits of flow control; on any client.

Each noun is a module of coroutines over a :class:`qsops.client.Client`, which checks what it is given before anything
is sent, and a frame of what is listed.
"""
