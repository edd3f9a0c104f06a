"""The ERP of server 3: a module of Tryton that shows a model's label on the customer's form.

Unlike the rest of Terna it is under GPL-3.0-or-later, as trytond is, which it imports: see LICENSE
beside this file. Nothing else of Terna imports it.

https://docs.tryton.org/7.0/server/
"""

from trytond.model import ModelStorage
from trytond.pool import Pool

from terna.erp.tryton import (
    access,
    asking,
    customer,
    endpoint,
    enrolment,
    feature,
    health,
    label,
    logs,
    openid,
    outcome,
    pages,
    party,
    pseudonym,
    rights,
    second_factor,
    user,
)

__all__ = ["enrolment", "health", "openid", "pages", "register"]  # the first four add routes


def register() -> None:
    """Register the module's models with Tryton, which finds this by an entry point."""
    Pool.register(
        endpoint.Endpoint,
        feature.Feature,
        customer.Party,
        customer.CustomerFeatures,
        label.Label,
        outcome.Outcome,
        asking.Endpoint,
        asking.CustomerFeatures,
        asking.Cron,
        asking.AskStart,
        module="terna",
        type_="model",
    )
    Pool.register(asking.Ask, module="terna", type_="wizard")
    _register_identities()
    _register_login()


def _register_identities() -> None:
    Pool.register(
        party.Party,
        party.Address,
        party.Identifier,
        party.ContactMechanism,
        pseudonym.Pseudonym,
        access.Access,
        access.ShowIdentityAsk,
        access.ShowIdentityShown,
        *access.RECORDED,
        access.User,
        rights.Party,
        rights.CustomerFeatures,
        rights.Outcome,
        module="terna",
        type_="model",
    )
    Pool.register(access.ShowIdentity, party.Replace, party.Erase, module="terna", type_="wizard")
    logs.keep_values_out()
    Pool.register_mixin(access.CheckedDomain, ModelStorage, module="terna")


def _register_login() -> None:
    Pool.register(
        second_factor.SecondFactor,
        second_factor.RecoveryCode,
        user.User,
        user.LoginAttempt,
        user.Session,
        module="terna",
        type_="model",
    )
