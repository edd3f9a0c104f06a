"""What the ERP begins with, as the containers' one-shots set it up."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from terna.security.secrets import ensure_erp_secrets
from tests.integration.tryton.conftest import NAME, Server2


def test_erp_that_wants_no_invented_customers_has_an_endpoint_with_features_and_no_customer(
    erp_folder: Callable[[], Path], serving: Server2
) -> None:
    folder = erp_folder()
    ensure_erp_secrets(folder / "secrets")
    table = folder / "customers.csv"
    table.write_text("minutes,plan,calls,vip\n120.5,basic,3,true\n")
    configuration = folder / "trytond.conf"
    configuration.write_text(
        f"[database]\nuri = sqlite://\npath = {folder}\n[terna]\nsecrets = {folder}/secrets\n"
    )
    environment = {
        **os.environ,
        **serving.servers.settings.environment(),
        "TRYTOND_CONFIG": str(configuration),
        "TERNA_ERP_CUSTOMERS": "false",
    }
    for command in ("init", "label"):
        program = [sys.executable, "-m", "terna.erp.tryton", command, "erp"]
        subprocess.run([*program, "--customers", str(table)], env=environment, check=True)

    with closing(sqlite3.connect(folder / "erp.sqlite")) as database:

        def count(what: str) -> int:
            return int(database.execute(f"SELECT count(*) FROM {what}").fetchone()[0])

        assert count("party_party") == 0
        assert count(f"terna_endpoint WHERE name = '{NAME}'") == 1
        assert count("terna_feature") == 4
        assert count("terna_customer_features") == 0
