"""What a request to the tracking server says of itself."""

import base64
from collections.abc import Mapping

import pytest

from terna.tracking.request import credentials, describe, fields


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (basic("maria:a password"), ("maria", "a password")),
        (basic("maria:with:colons"), ("maria", "with:colons")),
        (basic("maria"), None),
        (basic(f"{'m' * 101}:too long a name"), None),
        (basic("ma\x1b[2Jria:control characters"), None),
        (b"Bearer abc", None),
        (b"Basic \xff", None),
        (b"", None),
    ],
)
def test_credentials_are_those_of_basic_authentication(
    header: bytes, expected: tuple[str, str] | None
) -> None:
    assert credentials({"headers": [(b"authorization", header)]}) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"run_id": "r"}', {"run_id": "r"}),
        (b'{"artifactLocation": "file:///x"}', {"artifact_location": "file:///x"}),
        (b'"{\\"source\\": \\"/etc\\"}"', {"source": "/etc"}),
        (b"[1]", {}),
        (b"no JSON", {}),
        (b"", {}),
    ],
)
def test_body_is_read_as_mlflow_reads_it(body: bytes, expected: Mapping[str, str]) -> None:
    assert fields(body) == expected


def test_description_names_what_was_acted_on_and_no_value() -> None:
    body = {"name": "churn", "version": "3", "key": "terna.serving", "value": "a secret"}
    assert describe(body) == "churn 3 key=terna.serving"
