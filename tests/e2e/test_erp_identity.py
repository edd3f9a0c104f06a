"""Who a customer is stays on server 3, and is encrypted there where it is an identifier."""

from secrets import randbelow, token_hex

import pytest

from tests.canary import Canary
from tests.e2e.erp import DATABASE, People, features, query
from tests.e2e.stacks.compose import ComposeStack

pytestmark = pytest.mark.only_on("compose")


def hatch() -> Canary:
    """Make somebody whose every identity is in no file yet, this one included."""
    return Canary(
        {
            "name": f"Canary {token_hex(6)}",
            "street": f"{token_hex(6)} Street",
            "email": f"{token_hex(6)}@canary.example",
            "phone": f"6{randbelow(10**11):011}",
            "national id": f"{randbelow(10**12):012}",
        }
    )


ENCRYPTED = {"email", "phone", "national id"}


def add(people: People, canary: Canary, values: dict[str, object]) -> int:
    """Add a customer as a case handler does, and ask for the label; returns the party's id."""
    handler, identity = people["case-handler"], canary.values
    (endpoint,) = handler.call("model.terna.endpoint.search", [], 0, None, None)
    mechanisms = [{"type": kind, "value": identity[kind]} for kind in ("email", "phone")]
    made = {
        "name": identity["name"],
        "addresses": [("create", [{"street": identity["street"]}])],
        "contact_mechanisms": [("create", mechanisms)],
        "identifiers": [("create", [{"code": identity["national id"]}])],
        "customer_features": [("create", [{"endpoint": endpoint, "values": values}])],
    }
    (party,) = handler.call("model.party.party.create", [made])
    of_the_party = [("party", "=", party)]
    asked = handler.call("model.terna.customer.features.search", of_the_party, 0, None, None)
    handler.call("model.terna.customer.features.ask_label", asked)
    return int(party)


def test_canary_is_found_in_the_erps_database_alone_and_its_identifiers_not_even_there(
    replica: ComposeStack, people: People
) -> None:
    canary, of_another = hatch(), next(iter(features(replica).values()))
    party = add(people, canary, of_another)
    labelled = f"SELECT count(*) FROM terna_label WHERE party = {party}"
    assert query(replica, labelled) == "1"
    query(replica, "CHECKPOINT")

    dump = replica.project.compose("exec", "-T", "erp-database", "pg_dump", DATABASE).encode()
    kept = dict(replica.kept_outside_server_1())
    there = set(canary.found_in(dump)), set(canary.found_in(kept.pop("erp-database")))
    assert there == (canary.values.keys() - ENCRYPTED,) * 2
    kept["training"] = replica.kept_on_server_1()
    assert {"erp", "erp-worker", "audit", "object-store", "postgres", "logs"} < kept.keys()
    assert not {place: found for place, text in kept.items() if (found := canary.found_in(text))}

    (shown,) = people["case-handler"].call(
        "model.party.identifier.search_read", [("party", "=", party)], 0, None, None, ["code"]
    )
    assert shown["code"] == canary.values["national id"]
