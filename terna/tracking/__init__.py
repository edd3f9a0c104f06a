"""Server 2: the MLflow tracking server, started from settings."""
