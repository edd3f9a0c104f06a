"""Executes a compiled model, with NumPy and a little machine code: no library that trains models."""
