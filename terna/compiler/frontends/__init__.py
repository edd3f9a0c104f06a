"""Read fitted models and transformers, one library a file."""
