"""`python -m terna`."""

from terna.cli import main

main()
