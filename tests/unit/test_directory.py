"""The ERP's way to a company's directory or authorization server, as an overlay gives it."""

import re
from configparser import ConfigParser
from typing import Any

import yaml

from tests.checkout import ROOT

MODULE = ROOT / "terna/erp/tryton"


def overlay() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.directory.yml").read_text())


def passed_on() -> set[str]:
    """The variables that have the value of `.env`."""
    environment = overlay()["services"]["erp"]["environment"]
    return {name for name, value in environment.items() if value is None}


def test_erp_alone_gets_a_network_that_leads_out() -> None:
    (network,) = overlay()["networks"]
    assert overlay()["services"].keys() == {"erp"}
    assert overlay()["services"]["erp"]["networks"] == [network]
    assert overlay()["networks"][network] is None  # an internal one would lead nowhere
    base = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert network not in base["networks"]


def test_every_option_of_these_logins_has_a_variable_and_no_other_has() -> None:
    source = "".join(path.read_text() for path in MODULE.glob("*.py"))
    read = set(re.findall(r'(?:option|read_file)\("((?:oidc|ldap)_\w+)"', source))
    named = {name.partition("__")[2].lower() for name in passed_on() if "_TERNA__" in name}
    assert named == read
    assert passed_on() - {f"TRYTOND_TERNA__{name.upper()}" for name in read} == {
        "TRYTOND_SESSION__AUTHENTICATIONS",
        "TRYTOND_LDAP_AUTHENTICATION__URI",
        "TRYTOND_LDAP_AUTHENTICATION__UID",
    }


def test_no_option_with_a_variable_is_in_the_file_which_tryton_believes_first() -> None:
    file = ConfigParser(interpolation=None)
    file.read(ROOT / "services/erp/trytond.conf")
    named = (
        name.removeprefix("TRYTOND_").lower().split("__")
        for name in passed_on() | {"TRYTOND_SESSION__AUTHENTICATIONS"}
    )
    assert [
        (section, option) for section, option in named if file.has_option(section, option)
    ] == []


def test_image_asks_for_both_factors() -> None:
    image = (ROOT / "services/erp/Dockerfile").read_text()
    assert "TRYTOND_SESSION__AUTHENTICATIONS=password+totp\n" in image
