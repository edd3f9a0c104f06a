"""A request's way through serving: HTTP in, a decision, HTTP out."""
