"""`docker compose up --wait`: what its user has, keeps and is safe from."""

import hashlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml

from terna.erp.client import Predictions
from terna.registry.registry import MLflowRegistry
from tests.checkout import ROOT
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.beyond import PORT, machine_beyond
from tests.e2e.stacks.compose import ComposeStack
from tests.engine import docker

pytestmark = pytest.mark.only_on("compose")

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
ONE_SHOTS = sorted(name for name, service in SERVICES.items() if service["restart"] == "no")
NETWORKS = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
CLOSED = NETWORKS["proxy-closed"]
SERVERS = sorted(SERVICES.keys() - ONE_SHOTS)

PORTS = {
    "ssh": 2222,
    "training": 2222,
    "tracking": 5000,
    "postgres": 5432,
    "object-store": 9000,
    "serving": 8124,
    "serving-standby": 8124,
    "proxy": 8443,
    "erp-database": 5432,
}
REACHES = {
    "ssh": {"training"},
    "training": {"tracking", "postgres"},
    "tracking": {"postgres", "object-store"},
    "serving": {"tracking"},
    "serving-standby": {"tracking", "serving"},
    "proxy": {"serving", "serving-standby"},
    **{key: {"proxy", "erp-database"} for key in ("erp", "erp-worker", "erp-cron")},
    "ready": {"proxy"},
    "postgres": {"object-store"},  # they share the network `storage`
}
"""The diagram of docs/operations.md. A network is open both ways: who is asked could knock back."""

ON_THE_MACHINE = "https"
"""Who holds server 3's port on the machine's own network."""

REACHES_OUT = {"ssh", ON_THE_MACHINE}
"""Who has a network that leads out, because a port leads to it."""

KEYLESS = {"https", "ready"}
"""Those that read only the certificates of server 3, to verify it."""

AS_ROOT = {"init-secrets", "renew", "training"}
"""The first two hand files over to their owner, the third becomes the user who logs in."""

OF_ALL = {"init-secrets", "renew"}
"""They make and renew what is in everybody's folder."""

FIRST_USERS = "secrets/users/"
"""The passwords of the ERP's first users, which none of its servers needs."""

WITHOUT_NETWORK = {"init-secrets", "renew", "signer"}
WITHOUT_FILES = {"audit", "ssh"}
"""Who has neither keys nor certificates."""


@dataclass(frozen=True)
class Kept:
    """What nobody wants to lose."""

    runs: dict[str, dict[str, float]]
    versions: dict[str, tuple[str | None, ...]]
    labels: Predictions
    keys: dict[str, str]


def kept(replica: ComposeStack) -> Kept:
    client = replica.registry()
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments)
    versions = client.search_model_versions()
    certs, secrets = (digests(replica.root / kind, kind) for kind in ("certs", "secrets"))
    with replica.labels() as labels:
        return Kept(
            {run.info.run_id: run.data.metrics for run in runs},
            {f"{v.name} {v.version}": (v.current_stage, v.source, v.run_id) for v in versions},
            labels.predict(holdout_rows(20)),
            certs | secrets,
        )


def digests(folder: Path, name: str) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, with `name` for the folder's path."""
    return {
        f"{name}/{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def quickstart_command(start: str) -> str:
    """Return the quickstart's command that starts like this, with the lines on which it goes on."""
    page = (ROOT / "docs/quickstart.md").read_text()
    found = re.search(rf"^{re.escape(start)}(?:.*\\\n)*.*$", page, re.MULTILINE)
    assert found, f"the quickstart has no {start!r}"
    return found.group()


def query(replica: ComposeStack, database: str, sql: str) -> str:
    """Ask Postgres itself, as its administrator inside the container."""
    psql = ("psql", "--tuples-only", "--no-align", "--dbname", database)
    return replica.project.compose("exec", "-T", "postgres", *psql, "--command", sql).strip()


# ---- what its user has ------------------------------------------------------------------------


def test_curl_line_of_the_quickstart_gets_a_label(replica: ComposeStack) -> None:
    line = quickstart_command("curl --cacert certs/ca.crt")
    answer = replica.project.checkout.run(line.replace("8443", str(replica.project.https_port)), {})
    assert json.loads(answer.stdout)["predictions"] in (["yes"], ["no"]), answer.stderr


def test_generated_files_belong_to_the_checkouts_owner_and_ssh_accepts_his_key(
    replica: ComposeStack,
) -> None:
    owners = {path.lstat().st_uid for path in replica.root.rglob("*")}
    assert owners == {replica.project.checkout.owner} != {0}
    assert replica.ssh("id -un").stdout == "analyst\n"


def test_postgres_holds_the_runs_and_the_object_store_the_model(
    replica: ComposeStack, tmp_path: Path
) -> None:
    runs = kept(replica).runs
    assert len(runs) >= 1 + 3  # the training, and each of its trials
    assert query(replica, "tracking", "SELECT count(*) FROM runs") == str(len(runs))

    registry = MLflowRegistry(replica.registry())
    registry.download(registry.version("rfc_tune", 1), tmp_path)
    stored = replica.read_artifact(replica.stored_model(1))
    assert stored == (tmp_path / "model.skops").read_bytes()


# ---- what its user keeps ----------------------------------------------------------------------


def test_down_and_up_keeps_every_run_version_and_key(replica: ComposeStack) -> None:
    before = kept(replica)
    assert replica.ssh("true").returncode == 0  # from here on another host key is refused
    replica.project.compose("down", "--timeout", "20")
    replica.project.up()
    assert kept(replica) == before
    assert replica.ssh("true").returncode == 0


@pytest.mark.parametrize("server", SERVERS)
def test_killed_container_that_is_started_again_has_lost_nothing(
    replica: ComposeStack, server: str
) -> None:
    before = kept(replica)
    replica.project.compose("kill", server)
    assert not replica.project.inspect(server)["State"]["Running"]
    replica.project.compose("up", "--wait", "--no-deps", server)
    assert kept(replica) == before


@pytest.mark.parametrize("one_shot", ONE_SHOTS)
def test_one_shot_that_runs_again_changes_nothing(replica: ComposeStack, one_shot: str) -> None:
    before = kept(replica)
    replica.project.compose("run", "--rm", "-T", "--no-deps", one_shot)
    assert kept(replica) == before


# ---- what its user is safe from ---------------------------------------------------------------


@pytest.mark.parametrize("server", sorted({*SERVERS} - WITHOUT_NETWORK - {ON_THE_MACHINE}))
def test_server_reaches_its_neighbours_in_the_diagram_and_no_other(
    replica: ComposeStack, server: str
) -> None:
    others = {name: port for name, port in PORTS.items() if name != server}
    named = {f"{name}/{port}": name for name, port in others.items()}
    addressed = {
        f"{address}/{port}": name
        for name, port in others.items()
        for address in addresses_known_to(replica, server, name)
    }
    reached = connect(replica, server, [*named, *addressed])
    wanted = neighbours(server) & PORTS.keys()
    assert {name for place, name in named.items() if place in reached} == wanted
    told = {name for place, name in addressed.items() if place in reached}
    assert told == wanted & set(addressed.values())


def addresses_known_to(replica: ComposeStack, server: str, other: str) -> list[str]:
    """Return another's addresses that can only be its own.

    This machine has no way into the closed networks: who reaches out sends what is for them out,
    where anybody may answer.
    """
    networks = replica.project.inspect(other)["NetworkSettings"]["Networks"].items()
    closed = tuple(f"_{name}" for name, network in NETWORKS.items() if network == CLOSED)
    return [
        found["IPAddress"]
        for name, found in networks
        if found["IPAddress"] and not (server in REACHES_OUT and name.endswith(closed))
    ]


def neighbours(server: str) -> set[str]:
    """Return whom it reaches, and who reaches it."""
    return REACHES.get(server, set()) | {one for one, found in REACHES.items() if server in found}


CONNECT = """for place; do
    timeout 3 bash -c "</dev/tcp/$place" 2>/dev/null && echo $place &
done; wait"""


def connect(replica: ComposeStack, server: str, places: Sequence[str]) -> set[str]:
    """Return those of `host/port` that accept a connection from inside the server's container."""
    compose = replica.project.compose
    return set(compose("exec", "-T", server, "bash", "-c", CONNECT, "connect", *places).split())


@pytest.fixture(scope="module")
def beyond() -> Iterator[str]:
    """The address of another machine."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("makes a network beside Docker's: needs root, and `ip` of iproute2")
    with machine_beyond() as address:
        yield address


@pytest.mark.parametrize("server", SERVERS)
def test_only_a_server_with_a_published_port_reaches_out_of_the_replica(
    replica: ComposeStack, beyond: str, server: str
) -> None:
    reached = connect(replica, server, [f"{beyond}/{PORT}"])
    assert bool(reached) == (server in REACHES_OUT)


@pytest.mark.parametrize("database", ["postgres", "erp-database"])
def test_process_that_is_left_behind_in_a_databases_container_ends_no_connection(
    replica: ComposeStack, database: str
) -> None:
    inside = ("exec", "-T", database, "bash", "-c")
    replica.project.compose(*inside, "(sleep 0.5; exit 7) >/dev/null 2>&1 &")
    replica.project.compose(*inside, "sleep 1")
    assert "reinitializing" not in replica.project.compose("logs", database)


def test_superuser_of_postgres_comes_by_the_socket_alone(replica: ComposeStack) -> None:
    attempt = """
import psycopg
for name in ("postgres", "optuna"):
    try:
        psycopg.connect(host="postgres", user="postgres", password="a guess", dbname=name)
    except psycopg.OperationalError as error:
        print("no pg_hba.conf entry" in str(error))
"""
    told = replica.ssh(shlex.join(["python3", "-c", attempt]))
    assert told.stdout.split() == ["True", "True"], told.stderr
    assert query(replica, "postgres", "SELECT current_user") == "postgres"


@pytest.fixture
def listening_here() -> Iterator[int]:
    """A port that somebody listens on at every address of this machine."""
    with socket.create_server(("", 0)) as listener:  # the backlog accepts
        yield int(listener.getsockname()[1])


def test_session_reaches_neither_this_machine_nor_the_clouds_metadata_nor_the_outside(
    replica: ComposeStack, listening_here: int
) -> None:
    networks = replica.project.inspect("training")["NetworkSettings"]["Networks"]
    near = [network_gateway(name) for name in (*networks, f"{replica.project.name}_training-open")]
    places = [f"{address}/{listening_here}" for address in (*near, *own_addresses())]
    # Who is connected to a network that leads out reaches them: somebody does answer.
    assert connect(replica, "ssh", [places[len(networks)]])
    session = shlex.join(["bash", "-c", CONNECT, "connect", *places, *OUTSIDE])
    assert replica.ssh(session).stdout.split() == []


OUTSIDE = ("169.254.169.254/80", "1.1.1.1/443", "192.0.2.1/443")
"""The metadata of a cloud's machines, and others."""


def network_gateway(name: str) -> str:
    """Return the address that this machine has, or would have, in one of Docker's networks."""
    (config,) = json.loads(docker("network", "inspect", name))[0]["IPAM"]["Config"]
    return str(config.get("Gateway") or ip_network(config["Subnet"])[1])


def own_addresses() -> list[str]:
    told = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True)
    return [address for address in told.stdout.split() if ":" not in address]


def test_setting_opens_the_way_out_of_server_1(replica: ComposeStack, beyond: str) -> None:
    try:
        replica.project.compose(*RECREATED, TERNA_TRAINING_EGRESS="open")
        replica.wait_for("training")
        assert connect(replica, "training", [f"{beyond}/{PORT}"])
    finally:
        replica.project.compose(*RECREATED)
    replica.wait_for("training")
    assert not connect(replica, "training", [f"{beyond}/{PORT}"])


RECREATED = ("up", "--detach", "--no-deps", "training")


def test_training_connects_to_optunas_database_and_no_other(replica: ComposeStack) -> None:
    attempt = """
import os, pathlib, psycopg
own = pathlib.Path(f"/run/people/{os.getuid()}")
url = (own / "terna_training_optuna_storage").read_text().replace("+psycopg", "")
for name in ("optuna", "tracking", "auth", "postgres"):
    try:
        psycopg.connect(url, dbname=name).close()
        print(name)
    except psycopg.OperationalError as error:
        assert "no pg_hba.conf entry" in str(error), error
"""
    told = replica.ssh(shlex.join(["python3", "-c", attempt]))
    assert told.stdout.split() == ["optuna"], told.stderr


def test_tracking_uses_its_bucket_and_nothing_else_of_the_object_store(
    replica: ComposeStack,
) -> None:
    attempts = """
import boto3
from botocore.exceptions import ClientError
from terna.settings import Settings
from terna.tracking.bucket_credentials import use_certificate
use_certificate(Settings.load().tracking)
s3 = boto3.client("s3")
for content in (b"first", b"second"):
    s3.put_object(Bucket="mlflow", Key="versioned", Body=content)
s3.delete_object(Bucket="mlflow", Key="versioned")
versions = s3.list_object_versions(Bucket="mlflow", Prefix="versioned")["Versions"]
print(len(versions))
suspended = {"Status": "Suspended"}
for name, attempt in {
    "delete version": lambda: s3.delete_object(
        Bucket="mlflow", Key="versioned", VersionId=versions[0]["VersionId"]
    ),
    "suspend": lambda: s3.put_bucket_versioning(
        Bucket="mlflow", VersioningConfiguration=suspended
    ),
    "make bucket": lambda: s3.create_bucket(Bucket="another"),
    "delete bucket": lambda: s3.delete_bucket(Bucket="mlflow"),
}.items():
    try:
        attempt()
        print(name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
"""
    told = replica.project.compose("exec", "-T", "tracking", "python3", "-c", attempts)
    assert told.split() == ["2"]


def test_audit_log_has_what_people_did_and_who_the_kernel_says_has_sent_it(
    replica: ComposeStack,
) -> None:
    replica.registry().set_model_version_tag("rfc_tune", "1", "a-tag", "a value")
    lines = audit_lines(replica)
    events = [json.loads(line) for line in lines]
    wanted = {"who": "admin", "action": "tag version", "what": "rfc_tune 1 key=a-tag", "uid": 10005}
    assert [event for event in events if wanted.items() <= event.items()]
    assert [e for e in events if e.get("action") == "set alias" and e["who"] == "promoting"]
    assert "a value" not in "".join(lines)


@pytest.mark.parametrize(
    "wanted",
    [
        {"who": "analyst", "action": "ssh: log in"},
        {"who": "training", "action": "sign model", "uid": 10007},
        {"who": "erp", "action": "use API key", "uid": 10002},
    ],
    ids=["ssh", "signer", "serving"],
)
def test_audit_log_has_logins_signatures_and_keys_by_name(
    replica: ComposeStack, wanted: dict[str, object]
) -> None:
    replica.ssh("true")
    with replica.labels() as labels:
        labels.version()
    replica.wait_until(  # serving tells of the use of keys once a minute
        lambda: any(wanted.items() <= json.loads(line).items() for line in audit_lines(replica))
    )


def audit_lines(replica: ComposeStack) -> list[str]:
    read = ("exec", "-T", "audit", "sh", "-c", "cat /var/log/audit/*")
    return replica.project.compose(*read).splitlines()


def test_only_the_collector_has_the_audit_log_itself(replica: ComposeStack) -> None:
    having = set()
    for service in SERVICES:
        for mount in replica.project.inspect(service)["Mounts"]:
            if mount["Type"] == "volume" and mount["Name"].endswith("_audit-log"):
                having.add(service)
            if mount["Destination"] == "/run/audit":
                assert mount["RW"] == (service == "audit"), service
    assert having == {"audit"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_hardened(replica: ComposeStack, service: str) -> None:
    container = replica.project.inspect(service)
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["PidsLimit"] > 0
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}
    is_root = container["Config"]["User"].partition(":")[0] in ("", "0", "root")
    assert is_root == (service in AS_ROOT)
    assert bool(host["CapAdd"]) == (service in AS_ROOT)


def test_only_sshs_port_is_published_and_only_on_this_machine(replica: ComposeStack) -> None:
    published = {
        (service, bound["HostIp"])
        for service in SERVICES
        for ports in (replica.project.inspect(service)["HostConfig"]["PortBindings"] or {}).values()
        for bound in ports
    }
    assert published == {("ssh", "127.0.0.1")}


def test_https_listens_on_this_machine_only_and_holds_no_other_port(replica: ComposeStack) -> None:
    """Sockets are those of its own processes: its network is the machine's."""
    script = """for fd in /proc/[0-9]*/fd/*; do readlink "$fd"; done 2>/dev/null |
        sed -n 's/^socket:.\\([0-9]*\\).$/\\1/p' |
        grep -wFf - /proc/net/tcp /proc/net/tcp6 | awk '$5 == "0A" {print $3}'"""
    told = replica.project.compose("exec", "-T", ON_THE_MACHINE, "bash", "-c", script)
    assert set(told.split()) == {f"0100007F:{replica.project.https_port:04X}"}


@pytest.mark.parametrize("service", sorted(WITHOUT_NETWORK))
def test_who_makes_or_holds_keys_has_no_network(replica: ComposeStack, service: str) -> None:
    assert replica.project.inspect(service)["HostConfig"]["NetworkMode"] == "none"


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - OF_ALL - WITHOUT_FILES))
def test_container_mounts_its_own_folders_only_and_read_only(
    replica: ComposeStack, service: str
) -> None:
    given = {
        str(Path(mount["Source"]).relative_to(replica.root)): mount["RW"]
        for mount in replica.project.inspect(service)["Mounts"]
        if mount["Type"] == "bind"
    }
    own = own_folder(service)
    assert (f"secrets/{own}" in given) == (service not in KEYLESS)
    assert given.keys() <= {f"certs/{own}", f"secrets/{own}", "nginx"}
    assert not any(given.values())


@pytest.mark.parametrize("server", sorted({*SERVERS} - OF_ALL - WITHOUT_FILES - KEYLESS))
def test_server_reads_all_of_its_own_keys_and_finds_no_others(
    replica: ComposeStack, server: str
) -> None:
    user = ("--user", "training") if server == "training" else ()
    find = "cd / && find $(ls -d certs secrets) -type f -exec sha256sum {} +"
    told = replica.project.compose("exec", "-T", *user, server, "bash", "-c", find)
    found = {line.split()[1]: line.split()[0] for line in told.splitlines()}
    folders = {kind: replica.root / kind / own_folder(server) for kind in ("certs", "secrets")}
    certs, secrets = (digests(folder, kind) for kind, folder in folders.items())
    own = certs | secrets
    assert found == {path: what for path, what in own.items() if not path.startswith(FIRST_USERS)}
    assert found


def own_folder(service: str) -> str:
    """Return the folder of certs/ and of secrets/ that a service may read: its image's name.

    The one that makes the object store's account reads that store's, with tracking's library.
    """
    if service == "init-object-store":
        return "object-store"
    if service in KEYLESS:
        return "proxy"
    if service in ("signer", "erp-database"):  # of another's image
        return service
    if service == "init-erp-database":
        return "erp-database"
    return re.sub(r"^terna/|:.*$", "", SERVICES[service]["image"])


def test_no_secret_is_in_the_engines_metadata_or_the_containers_logs(
    replica: ComposeStack,
) -> None:
    secrets = long_words(replica.root / "secrets")
    assert len(secrets) > 10
    told = [replica.project.compose("logs")]
    for service in SERVICES:
        container = replica.project.inspect(service)
        told += [json.dumps(container), docker("image", "inspect", container["Image"])]
        told += [docker("history", "--no-trunc", container["Image"])]
    assert not [word[:4] for word in secrets if any(word in text for text in told)]


def long_words(folder: Path) -> set[str]:
    """Return every word in every file that is too long to be anywhere else by chance."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {word for path in files for word in path.read_text().split() if len(word) >= 32}
