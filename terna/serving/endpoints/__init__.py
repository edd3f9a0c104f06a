"""What is live: today one active model; endpoints and the split of their traffic belong here."""
