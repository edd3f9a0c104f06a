"""`terna …`: parses, calls, prints. `app.py` lists every command; a module per server has them."""

from terna.cli.app import main

__all__ = ["main"]
