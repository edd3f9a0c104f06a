"""One loaded model version: rows in, predictions out; compiled, else pyfunc."""
