"""Server 2: one model behind HTTP, following the registry."""
