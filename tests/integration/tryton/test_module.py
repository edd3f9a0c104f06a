"""The Tryton module by Tryton's own rules: views, dependencies, access, translations."""

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
