"""What serving is sent by whoever means no good or knows no better, and what it may say to that."""
