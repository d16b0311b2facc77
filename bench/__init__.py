"""The benchmark: what a user would pick instead, beside ours, in one run. `make bench` prints the table."""
