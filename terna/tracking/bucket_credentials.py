"""The tracking server's credentials for the object store: short-lived, for its certificate.

https://min.io/docs/minio/linux/developers/security-token-service/AssumeRoleWithCertificate.html
"""

import os
from typing import Any

import boto3
from botocore.credentials import CredentialProvider, RefreshableCredentials
from botocore.session import get_session
from minio.credentials.providers import CertificateIdentityProvider

from terna.settings import Tracking

VALID_SECONDS = 3600
"""How long MinIO takes credentials that it gave: the least that its client asks for."""

KEPT_SECONDS = 60
"""Seconds after which new ones are asked for: a new password of MinIO's root ends the old ones."""


class CertificateProvider(CredentialProvider):  # type: ignore[misc]  # botocore is not typed
    """Gets credentials from the store's STS, and new ones before these expire."""

    METHOD = "sts-certificate"
    CANONICAL_NAME = "StsCertificate"

    def __init__(self, tracking: Tracking) -> None:
        """
        Args:
            tracking: whose certificate and key are shown; they are read at each time, as they
                are renewed.
        """
        super().__init__()
        self._tracking = tracking

    def load(self) -> RefreshableCredentials:
        """Return the credentials, as boto3 asks for them."""
        return RefreshableCredentials.create_from_metadata(
            self._ask(), self._ask, self.METHOD, advisory_timeout=VALID_SECONDS - KEPT_SECONDS
        )

    def _ask(self) -> dict[str, Any]:
        given = CertificateIdentityProvider(
            sts_endpoint=self._tracking.sts,
            cert_file=str(self._tracking.certificate),
            key_file=str(self._tracking.key),
            ca_certs=os.environ.get("AWS_CA_BUNDLE"),
            duration_seconds=VALID_SECONDS,
        ).retrieve()
        return {
            "access_key": given.access_key,
            "secret_key": given.secret_key,
            "token": given.session_token,
            "expiry_time": f"{given.expiration:%Y-%m-%dT%H:%M:%SZ}",
        }


def use_certificate(tracking: Tracking) -> None:
    """Let boto3, and so MLflow, ask for credentials where a setting names the store's STS."""
    if tracking.sts:
        session = get_session()
        session.get_component("credential_provider").insert_before(
            "env", CertificateProvider(tracking)
        )
        boto3.setup_default_session(botocore_session=session)
