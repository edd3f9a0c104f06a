"""A directory of people: OpenLDAP's slapd, over TLS, in a folder of its own."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from terna.ports import free_port
from terna.processes import stop
from terna.security.ca import Service, ensure_certificates
from tests.running import wait_until

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin")
SCHEMAS = Path("/etc/ldap/schema")
PEOPLE = "ou=people,dc=example,dc=org"
READER, READER_PASSWORD = f"uid=reader,{PEOPLE}", "the reader's password"
"""Who may search; nobody else may."""

CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {folder}/certs/ca.crt
TLSCertificateFile {folder}/certs/ldap/tls.crt
TLSCertificateKeyFile {folder}/secrets/ldap/tls.key
database mdb
suffix "dc=example,dc=org"
directory {folder}/data
access to attrs=userPassword by anonymous auth
access to * by users read by * none
"""

ENTRIES = """
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people
"""

PERSON = """
dn: uid={login},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: {login}
cn: {login}
sn: {login}
userPassword: {password}
"""


@contextmanager
def directory(folder: Path, people: dict[str, str]) -> Iterator[str]:
    """Run a directory with these people and their passwords, where `SLAPD` is installed.

    Returns:
        its URL, as the section [ldap_authentication] has it; its CA is `certs/ca.crt`.
    """
    assert SLAPD
    (folder / "data").mkdir(parents=True)
    ensure_certificates(folder / "certs", folder / "secrets", [Service("ldap", ("localhost",))])
    configuration = folder / "slapd.conf"
    configuration.write_text(CONFIGURATION.format(schemas=SCHEMAS, folder=folder))
    entries = folder / "people.ldif"
    everybody = {**people, "reader": READER_PASSWORD}.items()
    entries.write_text(
        ENTRIES + "".join(PERSON.format(login=who, password=what) for who, what in everybody)
    )
    add = [SLAPD, "-T", "add", "-f", str(configuration), "-l", str(entries)]
    subprocess.run(add, check=True, capture_output=True)
    port = free_port()
    command = [SLAPD, "-f", str(configuration), "-h", f"ldaps://localhost:{port}", "-d", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _listens(port))
            yield f"ldaps://localhost:{port}/{PEOPLE}??one??bindname={quote(READER)}"
        finally:
            stop(process, 10)


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
