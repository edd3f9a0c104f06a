"""Names of columns that name customers, and values that reach them."""

import pytest

from terna.contracts.identifiers import is_address, is_contact, is_free_text, is_identifier


@pytest.mark.parametrize(
    "name",
    [
        *("name", "id", "ID", "uuid", "customer_id", "CustomerID", "customer-id", " id "),
        *("rowNumber", "row_names", "Unnamed: 0", "Surname", "first_name", "firstName"),
        *("LAST NAME", "maiden.name", "phone", "mobile_phone", "phoneNumber", "telephone_no"),
        *("email", "e_mail", "E-Mail", "work_email", "email_address", "postal address"),
        *("PassportNumber", "tax_number", "social_security_num", "iban", "ssn", "account_number"),
    ],
)
def test_identifier_is_told_by_its_name_however_it_is_written(name: str) -> None:
    assert is_identifier(name)


@pytest.mark.parametrize(
    "name", ["address", "home_address", "Addresses", "address_2", "street", "HouseNumber"]
)
def test_address_is_told_by_its_name(name: str) -> None:
    assert is_address(name)


@pytest.mark.parametrize("name", ["postcode", "post_code", "postCode", "billing_post_code"])
def test_post_code_is_an_address(name: str) -> None:
    assert is_address(name)


@pytest.mark.parametrize(
    "name", ["comment", "Comments", "notes", "call_notes", "free text", "freetext", "message_1"]
)
def test_free_text_is_told_by_its_name(name: str) -> None:
    assert is_free_text(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "minutes", "plan", "tenure", "total_day_minutes", "number_customer_service_calls"),
        *("number_vmail_messages_sent", "international_plan", "idle", "paid", "valid"),
        *("account_length", "phone_calls", "mobile_data", "addressable", "noted", "streets"),
    ],
)
def test_feature_is_none_of_them(name: str) -> None:
    assert [rule(name) for rule in (is_identifier, is_address, is_free_text)] == [False] * 3


@pytest.mark.parametrize(
    "value",
    [
        *("ada@example.org", "a.b+c@mail.example.org"),
        *("+386 41 555 123", "041/555-123", "(01) 555 1234", "555-123-4567", "0034600918273"),
    ],
)
def test_value_that_reaches_somebody_is_a_contact(value: str) -> None:
    assert is_contact(value)


@pytest.mark.parametrize(
    "value",
    [
        *("", "basic", "ada@example", "a b@example.org", "@", "3.5", "128", "-12", "1e6"),
        *("2026-12-01", "01.12.2026", "01/12/2026 10:30", "0-9", "100-200", "12345678"),
    ],
)
def test_number_date_or_word_is_no_contact(value: str) -> None:
    assert not is_contact(value)
