"""How columns are called that name customers, and what their values look like.

Server 1 keeps such columns out of a model; server 3 keeps them out of what it asks with.
"""

import re

IDENTIFIER = re.compile(
    r"name|unnamed_\d+|(.+_)?("
    r"id|uid|uuid|guid|ssn|iban|emso|passport|msisdn|surname|forename|e_?mail"
    r"|(first|last|full|given|family|middle|maiden)_?name|row_?(name|number)s?"
    r"|((tele)?phone|mobile|account|customer|passport|card|national|personal|insurance"
    r"|tax|social_security)(_(number|no|nr|num))"
    r"|((tele)?phone|mobile)|(e_?mail|postal|street)_address)"
)
"""Names of columns of identifiers, in small letters with `_` between the words."""

ADDRESS = re.compile(r"(.+_)?(address(es)?|street|house_(number|no|nr)|post_?code)(_\d+)?")
FREE_TEXT = re.compile(r"(.+_)?(comments?|notes?|remarks?|free_?text|narrative|message)(_\d+)?")

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"(?:\+|0|\()[\d ()/.-]{7,20}|\d{3}[ .-]\d{3}[ .-]\d{3,4}")
DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.*")


def is_identifier(name: str) -> bool:
    """Return whether a column is named like an identifier."""
    return bool(IDENTIFIER.fullmatch(_words(name)))


def is_address(name: str) -> bool:
    """Return whether a column is named like an address."""
    return bool(ADDRESS.fullmatch(_words(name)))


def is_free_text(name: str) -> bool:
    """Return whether a column is named like text that people write."""
    return bool(FREE_TEXT.fullmatch(_words(name)))


def is_contact(value: str) -> bool:
    """Return whether a value has the form of an e-mail address or a phone number."""
    is_phone = PHONE.fullmatch(value) and not DATE.fullmatch(value)
    return bool(EMAIL.fullmatch(value) or is_phone)


def _words(name: str) -> str:
    """Return a name in small letters with `_` between the words: `CustomerID` → `customer_id`."""
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).strip("_").lower()
