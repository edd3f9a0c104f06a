"""The bucket of the object store that holds the artifacts, and what the server may do with it."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from urllib3 import PoolManager

TRACKING = "tracking"
"""The policy of who shows a certificate of this name."""

ACTIONS = {
    "": ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
    "/*": (
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",  # marks it as deleted: earlier versions stay
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ),
}
"""What it may do with the bucket, and with what is in it."""


def ensure_bucket(artifacts: str, s3: Any = None) -> None:
    """Make the bucket of `s3://bucket/…` where it is missing.

    boto3 reads the endpoint and the credentials from its own variables, `AWS_ENDPOINT_URL_S3` and
    `AWS_SHARED_CREDENTIALS_FILE`.
    """
    s3 = s3 or boto3.client("s3")
    bucket = urlsplit(artifacts).netloc
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket)


def ensure_policy(artifacts: str, secrets: Path) -> None:
    """Make the bucket with versioning, and in MinIO the policy to use it and nothing else.

    Args:
        secrets: the folder with MinIO's root, `user` and `password`.
    """
    user, password = ((secrets / name).read_text().strip() for name in ("user", "password"))
    s3 = boto3.client("s3", aws_access_key_id=user, aws_secret_access_key=password)
    ensure_bucket(artifacts, s3)
    bucket = urlsplit(artifacts).netloc
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    admin = _admin(s3, user, password)
    admin.policy_add(TRACKING, policy=policy(bucket))
    _remove_former_account(admin)


def policy(bucket: str) -> dict[str, Any]:
    """Return the policy, in AWS' language."""
    statements = [_statement("Allow", actions, bucket + of) for of, actions in ACTIONS.items()]
    # In MinIO who may mark an object as deleted may delete its versions, unless that is denied.
    statements.append(_statement("Deny", ["s3:DeleteObjectVersion"], f"{bucket}/*"))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(effect: str, actions: Sequence[str], resource: str) -> dict[str, Any]:
    return {"Effect": effect, "Action": list(actions), "Resource": [f"arn:aws:s3:::{resource}"]}


def _admin(s3: Any, user: str, password: str) -> MinioAdmin:
    """Return MinIO's administration at the endpoint of an S3 client, verified with the same CA."""
    certificates = os.environ.get("AWS_CA_BUNDLE")
    return MinioAdmin(
        endpoint=urlsplit(s3.meta.endpoint_url).netloc,
        credentials=StaticProvider(user, password),
        http_client=PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=certificates),
    )


def _remove_former_account(admin: MinioAdmin) -> None:
    """Remove the account with a password, which an older release made."""
    with suppress(MinioAdminException):
        admin.delete_service_account(TRACKING)
