"""Clients of serving, with the certificates and the API key of the ERP."""

from typing import Any

import httpx

from terna.erp.connection import authorization, tls_context
from terna.erp.from_settings import connection_of
from terna.settings import Erp


def client_of(erp: Erp, **options: Any) -> httpx.Client:
    """An HTTP client of these settings.

    Args:
        options: httpx's own.
    """
    connection = connection_of(erp)
    return httpx.Client(
        verify=tls_context(connection), headers=authorization(connection), **options
    )
