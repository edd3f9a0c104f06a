"""What is live: today one active model."""
