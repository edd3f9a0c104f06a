"""Compares a compiled model with the model that it was made of."""
