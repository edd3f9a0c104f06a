"""The Tryton module by Tryton's own rules: views, dependencies, access, translations."""

import json
import xml.etree.ElementTree as ET

from trytond.pool import Pool
from trytond.tests import test_tryton
from trytond.tests.test_tryton import with_transaction


class TestModule(test_tryton.ModuleTestCase):
    """Inherits the tests that Tryton has for every module."""

    module = "terna"

    @classmethod
    def tearDownClass(cls) -> None:
        """Leaves the database, which Tryton drops, to the tests of this process that follow."""

    @with_transaction()
    def test_wizards(self) -> None:
        """Opens every wizard as a user who may."""
        find = Pool().get("ir.model.data").get_id
        groups = [find("terna", f"group_{name}") for name in ("show_identity", "case_handler")]
        user = Pool().get("res.user")(1)
        Pool().get("res.user").write([user], {"groups": [("add", groups)]})
        test_tryton.ModuleTestCase.test_wizards.__wrapped__(self)

    @with_transaction()
    def test_lists_are_such_that_the_web_client_can_show_them(self) -> None:
        """Asks for a widget where there is no column for a type, and for visuals that are PYSON."""
        View = Pool().get("ir.ui.view")  # noqa: N806 - Tryton's way to name a model
        visuals = []
        for view in View.search([("module", "=", "terna"), ("type", "=", "tree")]):
            shown = Pool().get(view.model or "party.party").fields_view_get(view.id)
            for column in ET.fromstring(shown["arch"]).iter("field"):
                kind = shown["fields"][column.get("name")]["type"]
                assert kind != "datetime" or column.get("widget") in {"date", "time"}, view.name
                if visual := column.get("visual"):
                    visuals.append(json.loads(visual))
        assert [visual["v"] for visual in visuals] == ["colour"] * 4
