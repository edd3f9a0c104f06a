"""The same servers as local processes: SQLite, local files, real TLS, no Docker."""
