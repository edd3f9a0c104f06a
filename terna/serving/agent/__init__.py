"""The process that reconciles this machine with the registry: fetch, verify, validate."""
