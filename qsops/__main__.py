"""``python -m qsops``: the same as the command ``qsops``."""

from qsops.cli import main

main()
