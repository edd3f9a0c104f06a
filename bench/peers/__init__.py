"""The peers: their own environment, and what runs in it. What imports BentoML runs only there."""
