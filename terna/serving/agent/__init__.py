"""The process that follows the registry: fetch, verify, validate, set current."""
