"""The bucket of the object store that holds the artifacts."""

from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError


def ensure_bucket(artifacts: str) -> None:
    """Make the bucket of `s3://bucket/…` where it is missing.

    boto3 reads the endpoint and the credentials from its own variables, `AWS_ENDPOINT_URL_S3` and
    `AWS_SHARED_CREDENTIALS_FILE`.
    """
    s3 = boto3.client("s3")
    bucket = urlsplit(artifacts).netloc
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket)
