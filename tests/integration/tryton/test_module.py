"""The Tryton module by Tryton's own rules: views, dependencies, access, translations."""

from trytond.tests import test_tryton


class TestModule(test_tryton.ModuleTestCase):
    """Inherits the tests that Tryton has for every module."""

    module = "terna"
