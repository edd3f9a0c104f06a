"""Clients of serving, with the certificates and the API key of the ERP."""

from typing import Any

import httpx

from terna.erp.client import authorization, tls_context
from terna.settings import Erp


def client_of(erp: Erp, **options: Any) -> httpx.Client:
    """An HTTP client of these settings.

    Args:
        options: httpx's own.
    """
    return httpx.Client(verify=tls_context(erp), headers=authorization(erp), **options)
