"""Reads fitted models and transformers into the IR, one library a file."""
