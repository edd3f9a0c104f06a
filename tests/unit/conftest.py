"""What every unit test runs with."""

import os

from hypothesis import settings

# Tables of a hundred rows: threads inside a fit would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples each time, and no files.
settings.register_profile("terna", derandomize=True, database=None, deadline=None)
settings.load_profile("terna")
