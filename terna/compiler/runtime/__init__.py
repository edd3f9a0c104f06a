"""Executes a compiled model, with NumPy and machine code: no library that trains models."""
