"""The Tryton module by Tryton's own rules: views, dependencies, access, translations."""

from trytond.pool import Pool
from trytond.tests import test_tryton
from trytond.tests.test_tryton import with_transaction


class TestModule(test_tryton.ModuleTestCase):
    """Inherits the tests that Tryton has for every module."""

    module = "terna"

    @with_transaction()
    def test_wizards(self) -> None:
        """Opens every wizard as a user who may: one of them takes a permission."""
        group = Pool().get("ir.model.data").get_id("terna", "group_show_identity")
        user = Pool().get("res.user")(1)
        Pool().get("res.user").write([user], {"groups": [("add", [group])]})
        test_tryton.ModuleTestCase.test_wizards.__wrapped__(self)
