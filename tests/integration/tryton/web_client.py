"""What a test needs that uses the web client in a browser."""

import pytest

from tests.browser import is_installed
from tests.integration.tryton.server import WEB_CLIENT

NEEDS_WEB_CLIENT = pytest.mark.skipif(
    not (is_installed() and (WEB_CLIENT / "index.html").is_file()),
    reason="needs Chromium, its driver and tryton-sao 7.0",
)
