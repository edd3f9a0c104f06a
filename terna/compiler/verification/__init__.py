"""Compares a compiled model with the pyfunc model that it was made of."""
