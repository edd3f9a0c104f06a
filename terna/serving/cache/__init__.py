"""What agent and workers share on disk: verified model directories and compiled models."""
