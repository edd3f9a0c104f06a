"""Executes a compiled model: NumPy and LLVM only, no library that trains models."""
