"""The bucket that artifacts are kept in."""

from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError


def ensure_bucket(artifacts: str) -> None:
    """Make the bucket of `s3://bucket/…` where it is missing.

    The endpoint and the credentials are boto3's own settings, `AWS_ENDPOINT_URL_S3` and
    `AWS_SHARED_CREDENTIALS_FILE`.
    """
    s3 = boto3.client("s3")
    bucket = urlsplit(artifacts).netloc
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket)
