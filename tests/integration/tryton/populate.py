"""Fills a database with a user for each role and a few customers; prints their ids as JSON.

Run in a process of its own: argument 1 is the password of the users, 2 the canary as JSON.
"""

import datetime as dt
import json
import sys

from trytond.pool import Pool
from trytond.transaction import Transaction

PASSWORD, CANARY = sys.argv[1], json.loads(sys.argv[2])

ROLES = {
    "clerk": ["clerk"],
    "case_handler": ["case_handler"],
    "analyst": ["analyst"],
    "auditor": ["auditor"],
    "administrator": ["administrator"],
    "curious": ["clerk", "show_identity"],
}

Pool.start()
pool = Pool("erp")
pool.init()
with Transaction().start("erp", 0, context={}) as transaction:
    find = pool.get("ir.model.data").get_id
    users = pool.get("res.user").create(
        [
            {
                "name": login,
                "login": login,
                "password": PASSWORD,
                "roles": [("create", [{"role": find("terna", f"role_{role}")} for role in roles])],
            }
            for login, roles in ROLES.items()
        ]
    )
    (endpoint,) = pool.get("terna.endpoint").create(
        [{"name": "churn", "title": "Churn", "labels": "True: leaves: danger\nFalse: stays"}]
    )
    pool.get("terna.feature").create(
        [
            {
                "endpoint": endpoint.id,
                "name": "tenure",
                "string": "Tenure",
                "type_": "integer",
            }
        ]
    )
    parties = pool.get("party.party").create(
        [
            {
                "name": CANARY["name"],
                "addresses": [("create", [{"street": CANARY["street"], "city": CANARY["city"]}])],
                "identifiers": [("create", [{"code": CANARY["identifier"]}])],
                "contact_mechanisms": [
                    (
                        "create",
                        [
                            {"type": "email", "value": CANARY["email"], "name": CANARY["name"]},
                            {"type": "phone", "value": CANARY["phone"]},
                        ],
                    )
                ],
            },
            {"name": "Middle Person"},
            {"name": "Aaron First"},
        ]
    )
    features = pool.get("terna.customer.features").create(
        [
            {"party": party.id, "endpoint": endpoint.id, "values": {"tenure": tenure}}
            for party, tenure in zip(parties, (77, 5, 9), strict=True)
        ]
    )
    (label,) = pool.get("terna.label").create(
        [
            {
                "features": features[0].id,
                "question": 1,
                "party": parties[0].id,
                "endpoint": endpoint.id,
                "label": "True",
                "version": 1,
                "labelled_at": dt.datetime(2026, 11, 30, 12),
            }
        ]
    )
    (outcome,) = pool.get("terna.outcome").create(
        [
            {
                "party": parties[0].id,
                "endpoint": endpoint.id,
                "label": "True",
                "date": dt.date(2026, 11, 30),
            }
        ]
    )
    (note,) = pool.get("ir.note").create(
        [{"resource": str(parties[0]), "message": f"About {CANARY['name']}"}]
    )
    pool.get("ir.attachment").create(
        [{"resource": str(parties[0]), "name": CANARY["name"], "type": "link", "link": "x"}]
    )
    sys.stdout.write(
        json.dumps(
            {
                "users": {user.login: user.id for user in users},
                "endpoint": endpoint.id,
                "parties": [party.id for party in parties],
                "codes": [party.code for party in parties],
                "features": [each.id for each in features],
                "label": label.id,
                "outcome": outcome.id,
                "identifier": parties[0].identifiers[0].id,
                "mechanism": parties[0].contact_mechanisms[0].id,
                "address": parties[0].addresses[0].id,
                "note": note.id,
                "roles": {
                    role: find("terna", f"role_{role}")
                    for role in ("clerk", "case_handler", "analyst", "auditor")
                },
                "group_admin": find("res", "group_admin"),
            }
        )
    )
