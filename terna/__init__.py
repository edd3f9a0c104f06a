"""Terna: from a table of customers to a label on the ERP's screen, on three servers."""

__version__ = "0.1.0"
