"""A version is shown to people by its name and number."""

from terna.contracts.version import Version


def test_version_is_shown_by_name_and_number() -> None:
    assert str(Version("churn", 3, "memory:/m-1", "run1")) == "churn version 3"
