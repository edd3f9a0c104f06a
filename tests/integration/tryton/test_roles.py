"""Who sees what: each role and each action, by JSON-RPC, of a trytond that really runs."""

import datetime as dt
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from tests.integration.tryton import postgres
from tests.integration.tryton.server import DATABASE, PASSWORD, Erp, Refused, running_erp

ROLES = (
    *("clerk", "case_handler", "analyst", "auditor", "administrator"),
    "curious",  # a clerk who may show identities
    "admin",  # Tryton's own first user
)
CLERKS = {"clerk", "curious"}
MASKED = {"clerk", "curious", "analyst"}
EVERYDAY = {"clerk", "curious", "case_handler", "analyst"}

CANARY = {
    "name": f"Zz{token_hex(6)} Qq{token_hex(6)}",
    "street": f"Street {token_hex(6)}",
    "city": f"City {token_hex(6)}",
    "identifier": f"ID-{token_hex(6).upper()}",
    "email": f"{token_hex(6)}@canary.example",
    "phone": "+34 600 918 273",
}
ENCRYPTED = ("identifier", "email", "phone")


class Denied(Exception):
    """What Tryton tells somebody who may not do this."""


@dataclass
class Person:
    """Somebody who is logged in, and all that the server has answered."""

    erp: Erp
    session: Any
    answers: list[str] = field(default_factory=list)

    def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method answers.

        Raises:
            Denied: it is refused in words for people; anything else that goes wrong fails.
        """
        try:
            result = self.erp.call(method, *arguments, session=self.session)
        except Refused as refused:
            self.answers.append(str(refused.args))
            if refused.args[0] not in {"UserError", "UserWarning"}:
                raise
            raise Denied(refused.args[1][0]) from None
        self.answers.append(json.dumps(result))
        return result

    def model(self, model: str, method: str, *arguments: Any) -> Any:
        """Call a method of a model."""
        return self.call(f"model.{model}.{method}", *arguments, {})

    def wizard(self, name: str, state: str, data: Any, **context: Any) -> Any:
        """Go through one state of a wizard, and end it."""
        session, *_ = self.call(f"wizard.{name}.create", context)
        try:
            return self.call(f"wizard.{name}.execute", session, data, state, context)
        finally:
            self.call(f"wizard.{name}.delete", session, context)


@dataclass
class Company:
    """The server, what is in its database, and who is logged in."""

    erp: Erp
    database: "Sqlite | Postgres"
    ids: dict[str, Any]
    people: dict[str, Person]

    @property
    def party(self) -> int:
        return int(self.ids["parties"][0])


@dataclass
class Sqlite:
    """A database in a file."""

    folder: Path
    uri: str = "sqlite://"
    changes = ("UPDATE terna_access SET reason = ''", "DELETE FROM terna_access")

    def dump(self) -> str:
        """Return all of it as SQL."""
        with closing(sqlite3.connect(self.folder / f"{DATABASE}.sqlite")) as database:
            return "\n".join(database.iterdump())

    def run(self, sql: str) -> None:
        """Run a statement on the database itself."""
        with closing(sqlite3.connect(self.folder / f"{DATABASE}.sqlite", 30)) as database:
            database.execute(sql)
            database.commit()


@dataclass
class Postgres:
    """A database of a server."""

    folder: Path
    uri: str
    changes = (*Sqlite.changes, "TRUNCATE terna_access")

    def dump(self) -> str:
        """Return all of it as SQL."""
        return postgres.run("pg_dump", f"{self.uri}/{DATABASE}")

    def run(self, sql: str) -> None:
        """Run a statement on the database itself, as its owner."""
        with closing(psycopg.connect(f"{self.uri}/{DATABASE}")) as database:
            database.cursor().execute(sql)
            database.commit()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, erp_folder: Callable[[], Path]) -> Sqlite | Postgres:
    """A database in which the module is activated."""
    if request.param == "sqlite":
        return Sqlite(erp_folder())
    return Postgres(*request.getfixturevalue("on_postgres"))


@pytest.fixture(scope="module")
def company(database: Sqlite | Postgres) -> Iterator[Company]:
    with (
        pytest.MonkeyPatch.context() as environment,
        _running(database, environment) as erp,
    ):
        ids = _populate(erp.folder)
        people = {role: Person(erp, erp.log_in(role, password=PASSWORD)) for role in ROLES}
        yield Company(erp, database, ids, people)


def _running(
    database: Sqlite | Postgres, environment: pytest.MonkeyPatch
) -> AbstractContextManager[Erp]:
    environment.setenv("TRYTOND_LOGGING_LEVEL", str(logging.INFO))  # it names every call
    return running_erp(
        database.folder,
        database={"uri": database.uri},
        session={"authentications": "password"},
    )


def _populate(folder: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("populate.py")
    done = subprocess.run(
        [sys.executable, str(script), PASSWORD, json.dumps(CANARY)],
        env={**os.environ, "TRYTOND_CONFIG": str(folder / "trytond.conf")},
        capture_output=True,
        text=True,
        check=True,
    )
    ids: dict[str, Any] = json.loads(done.stdout)
    return ids


Action = Callable[[Person, Company], Any]


def _read(model: str, key: str, *names: str) -> Action:
    return lambda user, company: user.model(model, "read", [_id(company, key)], list(names))


def _search(model: str, domain: Any, order: Any = None) -> Action:
    return lambda user, _: user.model(model, "search", domain, 0, 10, order)


def _write(model: str, key: str, **values: Any) -> Action:
    return lambda user, company: user.model(model, "write", [_id(company, key)], values)


def _delete(model: str, key: str) -> Action:
    return lambda user, company: user.model(model, "delete", [_id(company, key)])


def _export(model: str, key: str, *names: str) -> Action:
    return lambda user, company: user.model(model, "export_data", [_id(company, key)], list(names))


def _create(model: str, **values: Any) -> Action:
    return lambda user, company: user.model(
        model, "create", [{name: _value(company, value) for name, value in values.items()}]
    )


def _party_wizard(name: str, state: str, data: Any) -> Action:
    def run(user: Person, company: Company) -> Any:
        return user.wizard(
            name,
            state,
            data,
            active_model="party.party",
            active_id=company.party,
            active_ids=[company.party],
        )

    return run


def _id(company: Company, key: str) -> int:
    if key == "party":
        return company.party
    if key in company.ids["users"]:
        return int(company.ids["users"][key])
    found = company.ids[key]
    return int(found[0] if isinstance(found, list) else found)


def _value(company: Company, value: Any) -> Any:
    return value(company) if callable(value) else value


def _party(company: Company) -> int:
    return company.party


def _endpoint(company: Company) -> int:
    return int(company.ids["endpoint"])


def _resource(company: Company) -> str:
    return f"party.party,{company.party}"


DATE = {"__class__": "date", "year": 2026, "month": 11, "day": 30}

NOBODY: set[str] = set()
HANDLER = {"case_handler"}
FEATURES = {"case_handler", "analyst"}
SETTINGS = {"administrator"}
USERS = {"administrator", "admin"}

TABLE: dict[str, tuple[set[str], Action]] = {
    # A party, and its name.
    "read party": (EVERYDAY, _read("party.party", "party", "code", "rec_name")),
    "search party": (EVERYDAY, _search("party.party", [("code", "=", "1")])),
    "sort parties": (EVERYDAY, _search("party.party", [], [("code", "ASC")])),
    "write party": (HANDLER, _write("party.party", "party", active=True)),
    "create party": (HANDLER, _create("party.party", name="Somebody New")),
    "delete party": (NOBODY, _delete("party.party", "party")),
    "copy party": (
        HANDLER,
        lambda user, company: user.model("party.party", "copy", [company.party]),
    ),
    "export party": (EVERYDAY, _export("party.party", "party", "code")),
    "read name": (HANDLER, _read("party.party", "party", "name")),
    "search name": (HANDLER, _search("party.party", [("name", "ilike", "Z%")])),
    "search name of features": (
        HANDLER,
        _search("terna.customer.features", [("party.name", "ilike", "Z%")]),
    ),
    "search name by where": (
        HANDLER,
        _search("terna.customer.features", [("party", "where", [("name", "ilike", "Z%")])]),
    ),
    "sort by name": (HANDLER, _search("party.party", [], [("name", "ASC")])),
    "sort features by name": (
        HANDLER,
        _search("terna.customer.features", [], [("party.name", "ASC")]),
    ),
    "write name": (HANDLER, _write("party.party", "party", name=CANARY["name"])),
    "export name": (HANDLER, _export("party.party", "party", "name")),
    "export name of features": (
        HANDLER,
        _export("terna.customer.features", "features", "party/name"),
    ),
    # Identifiers, contact mechanisms and addresses.
    "read identifier": (HANDLER, _read("party.identifier", "identifier", "code")),
    "read identifiers of party": (HANDLER, _read("party.party", "party", "identifiers")),
    "search identifier": (HANDLER, _search("party.identifier", [("code", "=", "x")])),
    "search party by identifier": (
        HANDLER,
        _search("party.party", [("identifiers.code", "=", "x")]),
    ),
    "search party by identifier with where": (
        HANDLER,
        _search("party.party", [("identifiers", "where", [("code", "=", "x")])]),
    ),
    "create identifier": (HANDLER, _create("party.identifier", party=_party, code="another")),
    "write identifier": (
        HANDLER,
        _write("party.identifier", "identifier", code=CANARY["identifier"]),
    ),
    "export identifier": (HANDLER, _export("party.party", "party", "identifiers/code")),
    "read contact": (HANDLER, _read("party.contact_mechanism", "mechanism", "value")),
    "search contact": (HANDLER, _search("party.contact_mechanism", [("value", "=", "x")])),
    "sort contacts": (HANDLER, _search("party.contact_mechanism", [], [("value", "ASC")])),
    "read e-mail of party": (HANDLER, _read("party.party", "party", "email", "phone")),
    "export contact": (HANDLER, _export("party.party", "party", "contact_mechanisms/value")),
    "read address": (HANDLER, _read("party.address", "address", "street", "full_address")),
    "search party by address": (
        HANDLER,
        _search("party.party", [("addresses", "where", [("city", "ilike", "C%")])]),
    ),
    # Features, labels and outcomes.
    "read features": (FEATURES, _read("terna.customer.features", "features", "values")),
    "search features": (
        FEATURES,
        _search("terna.customer.features", [("values.tenure", ">", 50)]),
    ),
    "search features by where": (
        FEATURES,
        _search("party.party", [("customer_features", "where", [("values.tenure", ">", 50)])]),
    ),
    "sort by feature": (
        FEATURES,
        _search("terna.customer.features", [], [("values.tenure", "ASC")]),
    ),
    "export features": (FEATURES, _export("terna.customer.features", "features", "values")),
    "write features": (
        HANDLER,
        _write("terna.customer.features", "features", values={"tenure": 77}),
    ),
    "delete features": (NOBODY, _delete("terna.customer.features", "features")),
    "read latest label": (
        EVERYDAY,
        _read("terna.customer.features", "features", "label", "word", "age", "why"),
    ),
    "write latest label": (
        NOBODY,
        _write("terna.customer.features", "features", label="False"),
    ),
    "read label": (EVERYDAY, _read("terna.label", "label", "label", "word", "party.rec_name")),
    "search labels": (EVERYDAY, _search("terna.label", [("label", "=", "True")])),
    "sort labels": (EVERYDAY, _search("terna.label", [], [("party", "ASC")])),
    "write label": (NOBODY, _write("terna.label", "label", label="False")),
    "delete label": (NOBODY, _delete("terna.label", "label")),
    "read outcome": (EVERYDAY, _read("terna.outcome", "outcome", "label", "date")),
    "read features of outcome": (FEATURES, _read("terna.outcome", "outcome", "values")),
    "search features of outcome": (
        FEATURES,
        _search("terna.outcome", [("values.tenure", ">", 50)]),
    ),
    "search features of outcome by where": (
        FEATURES,
        _search("party.party", [("outcomes", "where", [("values.tenure", ">", 50)])]),
    ),
    "sort by feature of outcome": (
        FEATURES,
        _search("terna.outcome", [], [("values.tenure", "ASC")]),
    ),
    "export outcome": (EVERYDAY, _export("terna.outcome", "outcome", "label", "date")),
    "export features of outcome": (
        FEATURES,
        _export("terna.outcome", "outcome", "label", "values"),
    ),
    "export features of outcomes found": (
        FEATURES,
        lambda user, _: user.model(
            "terna.outcome", "export_data_domain", [("label", "=", "True")], ["values"]
        ),
    ),
    "write features of outcome": (NOBODY, _write("terna.outcome", "outcome", values={})),
    "create outcome": (
        CLERKS | HANDLER,
        _create("terna.outcome", party=_party, endpoint=_endpoint, label="True", date=DATE),
    ),
    "note outcome on party": (
        CLERKS | HANDLER,
        lambda user, company: user.model(
            "party.party",
            "write",
            [company.party],
            {
                "outcomes": [
                    ("create", [{"endpoint": _endpoint(company), "label": "True", "date": DATE}])
                ]
            },
        ),
    ),
    "note outcome as somebody else": (
        NOBODY,
        _create(
            "terna.outcome", party=_party, endpoint=_endpoint, label="True", date=DATE, noted_by=1
        ),
    ),
    "mark outcome as sent": (NOBODY, _write("terna.outcome", "outcome", state="sent")),
    "delete outcome": (NOBODY, _delete("terna.outcome", "outcome")),
    "read endpoint": (EVERYDAY | SETTINGS, _read("terna.endpoint", "endpoint", "title")),
    "write endpoint": (SETTINGS, _write("terna.endpoint", "endpoint", title="Churn")),
    "delete endpoint": (NOBODY, _delete("terna.endpoint", "endpoint")),
    "ask for a label": (
        CLERKS | HANDLER,
        lambda user, company: user.model(
            "terna.customer.features", "ask_label", [company.ids["features"][0]]
        ),
    ),
    "ask for labels": (
        CLERKS | HANDLER,
        _party_wizard("terna.ask", "ask", {"start": {"endpoint": None}}),
    ),
    # The access log.
    "search access log": ({"auditor"}, _search("terna.access", [])),
    "create entry": (NOBODY, _create("terna.access", event="shown", login="clerk", what="name")),
    # Users.
    "create user": (
        USERS,
        lambda user, _: user.model(
            "res.user", "create", [{"name": "x", "login": token_hex(4), "password": PASSWORD}]
        ),
    ),
    "give a role": (
        USERS,
        lambda user, company: user.model(
            "res.user",
            "write",
            [company.ids["users"]["analyst"]],
            {"roles": [("create", [{"role": company.ids["roles"]["analyst"]}])]},
        ),
    ),
    "give a group": (
        {"admin"},
        lambda user, company: user.model(
            "res.user",
            "write",
            [company.ids["users"]["auditor"]],
            {"groups": [("remove", [company.ids["group_admin"]])]},
        ),
    ),
    "change a role": (
        {"admin"},
        lambda user, company: user.model(
            "res.role", "write", [company.ids["roles"]["clerk"]], {"name": "Clerk"}
        ),
    ),
    "change access rights": (
        {"admin"},
        lambda user, _: user.model("ir.model.access", "write", [1], {"description": "x"}),
    ),
    "schedule a task": (
        USERS,
        lambda user, _: user.model("ir.cron", "write", [1], {"interval_number": 1}),
    ),
    # Wizards, reports, and what is attached to a party.
    "show identity": (
        {"curious"},
        _party_wizard("terna.identity.show", "shown", {"ask": {"reason": "a call"}}),
    ),
    "show identity without a reason": (
        NOBODY,
        _party_wizard("terna.identity.show", "shown", {"ask": {"reason": " "}}),
    ),
    "replace party": (NOBODY, _party_wizard("party.replace", "ask", {})),
    "erase party": (NOBODY, _party_wizard("party.erase", "ask", {})),
    "send VAT numbers abroad": (NOBODY, _party_wizard("party.check_vies", "check", {})),
    "read note": (HANDLER, _read("ir.note", "note", "message")),
    "create note": (HANDLER, _create("ir.note", resource=_resource, message="x")),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", TABLE)
def test_role_does_what_the_table_says_and_nothing_else(
    company: Company, role: str, action: str
) -> None:
    allowed, run = TABLE[action]
    try:
        run(company.people[role], company)
    except Denied:
        assert role not in allowed
    else:
        assert role in allowed


@pytest.mark.parametrize("role", sorted(MASKED))
@pytest.mark.parametrize(
    "text", [*CANARY.values(), CANARY["name"][:3]], ids=[*CANARY, "beginning of the name"]
)
def test_masked_name_is_not_found_by_any_search(company: Company, role: str, text: str) -> None:
    user = company.people[role]
    like = f"%{text}%"

    assert user.model("party.party", "search_count", [("rec_name", "ilike", like)]) == 0
    assert user.model("terna.label", "search_count", [("party", "ilike", like)]) == 0
    assert user.model("party.party", "autocomplete", text, [], 5, []) == []
    assert user.model("ir.model", "global_search", text, 10) == []
    assert user.model("ir.email", "complete", text, 10) == []


@pytest.mark.parametrize("role", sorted(MASKED))
def test_order_tells_no_name(company: Company, role: str) -> None:
    user = company.people[role]
    parties = list(company.ids["parties"])

    found = user.model("party.party", "search", [("id", "in", parties)], 0, None, None)
    labels = user.model("terna.customer.features", "search", [], 0, 3, [("party", "ASC")])

    assert found == parties
    assert labels == company.ids["features"]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_changes_in_a_form_tell_no_name(company: Company, role: str) -> None:
    """Whether it is refused or answered: what was answered is looked through below."""
    context = {"active_model": "party.party", "active_id": company.party}
    related = {"related_party": company.party}
    identifier = {"id": company.ids["identifier"], "party": company.party, "code": "x"}
    calls: list[tuple[Any, ...]] = [
        ("model.party.erase.ask.default_get", ["party"], True, context),
        ("model.party.replace.ask.default_get", ["source"], True, context),
        ("model.party.contact_mechanism.default_get", ["party"], True, related),
        ("model.party.identifier.on_change_notify", identifier, {}),
        ("model.party.contact_mechanism.on_change_with_url", {"id": company.ids["mechanism"]}, {}),
        ("report.party.label.execute", [company.party], {}, {}),
    ]

    before = len(company.people[role].answers)
    for call in calls:
        with suppress(Denied, Refused):
            company.people[role].call(*call)

    told = [CANARY["name"] in answer for answer in company.people[role].answers[before:]]
    assert any(told) == (role == "case_handler")


@pytest.mark.parametrize("role", ["clerk", "analyst", "auditor", "administrator", "admin"])
def test_nothing_that_a_role_was_answered_names_the_customer(company: Company, role: str) -> None:
    """Comes last: everything above was answered by now."""
    answers = "\n".join(company.people[role].answers)

    assert [key for key, value in CANARY.items() if value in answers] == []


def test_names_are_masked_for_clerks_and_codes_for_analysts(company: Company) -> None:
    def name(role: str) -> str:
        (row,) = company.people[role].model("party.party", "read", [company.party], ["rec_name"])
        return str(row["rec_name"])

    assert name("clerk") == "Z••• Q•••"
    assert name("analyst") == f"[{company.ids['codes'][0]}]"
    assert name("case_handler") == CANARY["name"]


def test_clerk_writes_no_field_of_a_party_but_outcomes(company: Company) -> None:
    clerk = company.people["clerk"]
    computed = {"distance", "code_readonly", "full_name", "rec_name"}
    of_tryton = {"id", "create_uid", "create_date", "write_uid", "write_date"}
    names = set(clerk.model("party.party", "fields_get", [])) - computed - of_tryton

    for name in names - {"outcomes"}:
        with pytest.raises(Denied):
            clerk.model("party.party", "write", [company.party], {name: None})


@pytest.mark.parametrize("role", sorted(MASKED))
def test_what_is_attached_to_a_party_is_not_even_counted(company: Company, role: str) -> None:
    counts = company.people[role].model("party.party", "resources", [company.party])

    assert set(counts[0].values()) == {0}


def test_encrypted_values_are_found_whole_and_normalized(company: Company) -> None:
    handler = company.people["case_handler"]

    def found(*domain: Any) -> list[int]:
        among = [domain, ("id", "in", company.ids["parties"])]
        result: list[int] = handler.model("party.party", "search", among, 0, None, None)
        return result

    assert found("rec_name", "ilike", f"%{CANARY['email'].upper()}%") == [company.party]
    assert found("identifiers.code", "=", CANARY["identifier"].lower().replace("-", " ")) == [
        company.party
    ]
    assert found("contact_mechanisms.value", "in", [CANARY["phone"].replace(" ", "")]) == [
        company.party
    ]
    assert found("identifiers.code", "ilike", f"{CANARY['identifier'][:-1]}%") == []
    with pytest.raises(Denied, match="search for the whole value"):
        found("identifiers.code", ">", "A")


def test_shown_identity_is_in_the_access_log_and_the_auditor_sees_who_looked(
    company: Company,
) -> None:
    reason = f"the customer calls {token_hex(4)}"
    show = _party_wizard("terna.identity.show", "shown", {"ask": {"reason": reason}})

    view = show(company.people["curious"], company)["view"]
    entries = company.people["auditor"].model(
        "terna.access",
        "search_read",
        [("reason", "=", reason)],
        0,
        None,
        None,
        ["login", "customer", "what", "create_date"],
    )

    assert view["defaults"]["name"] == CANARY["name"]
    assert all(CANARY[key] in str(view["defaults"]) for key in ENCRYPTED)
    (entry,) = entries
    assert (entry["login"], entry["customer"]) == ("curious", company.ids["codes"][0])
    assert entry["what"] == "name, identifier, email, phone, address"
    assert entry["create_date"]["year"] >= dt.date.today().year


@pytest.mark.parametrize("role", ROLES)
def test_nobody_changes_an_entry_of_the_access_log(company: Company, role: str) -> None:
    TABLE["show identity"][1](company.people["curious"], company)
    auditor = company.people["auditor"]
    before = auditor.model("terna.access", "search_count", [])
    (entry,) = auditor.model("terna.access", "search", [], 0, 1, None)

    with pytest.raises(Denied):
        company.people[role].model("terna.access", "write", [entry], {"reason": "another"})
    with pytest.raises(Denied):
        company.people[role].model("terna.access", "delete", [entry])

    assert auditor.model("terna.access", "search_count", []) == before


def test_database_refuses_to_change_the_access_log(company: Company) -> None:
    TABLE["show identity"][1](company.people["curious"], company)
    for statement in company.database.changes:
        with pytest.raises((sqlite3.Error, psycopg.Error), match="never changed"):
            company.database.run(statement)


def test_administrator_who_takes_a_role_is_in_the_access_log(company: Company) -> None:
    administrator = company.people["administrator"]
    auditor = company.people["auditor"]
    role = company.ids["roles"]["case_handler"]

    administrator.model(
        "res.user",
        "write",
        [company.ids["users"]["administrator"]],
        {"roles": [("create", [{"role": role}])]},
    )
    entries = auditor.model(
        "terna.access", "search_read", [("login", "=", "administrator")], 0, 5, None, ["what"]
    )

    assert any("res.user.role" in entry["what"] for entry in entries)
    assert any("administrator changed: roles" in entry["what"].lower() for entry in entries)


def test_changed_rights_are_in_the_access_log(company: Company) -> None:
    TABLE["change access rights"][1](company.people["admin"], company)

    entries = company.people["auditor"].model(
        "terna.access", "search_read", [("login", "=", "admin")], 0, 1, None, ["what"]
    )

    assert entries[0]["what"].startswith("ir.model.access 1 ")


def test_role_is_not_taken_by_preferences(company: Company) -> None:
    clerk = company.people["clerk"]
    role = company.ids["roles"]["case_handler"]

    clerk.model("res.user", "set_preferences", {"roles": [("create", [{"role": role}])]})

    (user,) = clerk.model("res.user", "read", [company.ids["users"]["clerk"]], ["roles"])
    assert len(user["roles"]) == 1


def test_dump_and_logs_name_no_encrypted_value(company: Company) -> None:
    dump, log = company.database.dump(), company.erp.log()

    assert CANARY["name"] in dump  # names are not encrypted: the search has something to find
    for key in ENCRYPTED:
        assert CANARY[key] not in dump
        assert CANARY[key].replace(" ", "") not in dump
    assert "party.party" in log
    assert [key for key, value in CANARY.items() if value[:12] in log] == []
