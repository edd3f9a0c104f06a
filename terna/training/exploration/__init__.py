"""What the explore phase says of a table: column profiles, findings, and the page of both."""
