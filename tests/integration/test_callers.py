"""Who may connect to a running serving server, and which keys it takes."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from terna.erp.client import Client
from terna.erp.from_settings import connection_of
from terna.errors import ServingUnreachable
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings
from terna.security.api_keys import add_key, remove_keys
from terna.security.ca import Service, ensure_certificates
from terna.settings import Erp
from tests.clients import client_of
from tests.ports import settings_on_free_ports
from tests.running import running, wait_until


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    yield from serving_with(tmp_path_factory.mktemp("closed"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """For those who end TLS elsewhere."""
    root = tmp_path_factory.mktemp("opened")
    yield from serving_with(root, client_certificates=False, min_tls="1.2")


def serving_with(root: Path, **changed: Any) -> Iterator[LocalServers]:
    settings = local_settings(root, settings_on_free_ports())
    settings = replace(settings, serving=settings.serving.model_copy(update=changed))
    ensure_local_secrets(settings, root)
    with running("serving", root, settings) as servers:
        yield servers


def status(erp: Erp, **options: Any) -> int:
    url = erp.endpoint.replace("invocations", "v2/models")
    with client_of(erp, **options) as client:
        return client.get(url).status_code


def own(servers: LocalServers, service: str) -> Erp:
    """The ERP's settings, with the certificate of another service."""
    root = servers.settings.erp.ca.parent.parent
    return servers.settings.erp.model_copy(
        update={
            "certificate": root / f"certs/{service}/tls.crt",
            "key": root / f"secrets/{service}/tls.key",
        }
    )


@pytest.mark.parametrize("service", ["erp", "monitoring"])
def test_client_of_the_platform_connects(closed: LocalServers, service: str) -> None:
    assert status(own(closed, service)) == 200


@pytest.mark.parametrize("service", ["nobody", "tracking"])
def test_client_without_a_certificate_for_clients_is_cut_off(
    closed: LocalServers, service: str
) -> None:
    with pytest.raises(httpx.TransportError, match=r"(?i)certificate"):
        status(own(closed, service))


def test_client_of_another_ca_is_cut_off(closed: LocalServers, tmp_path: Path) -> None:
    certs, secrets = tmp_path / "certs", tmp_path / "secrets"
    ensure_certificates(certs, secrets, [Service("erp", ("localhost",), is_client=True)])
    erp = closed.settings.erp.model_copy(
        update={"certificate": certs / "erp/tls.crt", "key": secrets / "erp/tls.key"}
    )
    with pytest.raises(httpx.TransportError):
        status(erp)


def test_erp_without_its_certificate_is_told_which_setting_names_it(closed: LocalServers) -> None:
    with (
        Client(connection_of(own(closed, "nobody"))) as client,
        pytest.raises(ServingUnreachable, match=r"client certificate: .*TERNA_ERP_CERTIFICATE"),
    ):
        client.version()


def test_port_that_is_opened_asks_for_the_key_all_the_same(
    opened: LocalServers, tmp_path: Path
) -> None:
    erp = own(opened, "nobody")
    assert status(erp) == 200
    (tmp_path / "key").write_text("erp.guessed")
    assert status(erp.model_copy(update={"api_key_file": tmp_path / "key"})) == 401


@pytest.mark.parametrize(("servers", "spoken"), [("closed", False), ("opened", True)])
def test_tls_1_2_is_spoken_only_where_it_is_allowed(
    request: pytest.FixtureRequest, servers: str, spoken: bool
) -> None:
    erp = request.getfixturevalue(servers).settings.erp
    old = ssl.create_default_context(cafile=str(erp.ca))
    old.load_cert_chain(erp.certificate, erp.key)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    url = erp.endpoint.replace("invocations", "v2/health/live")
    with httpx.Client(verify=old) as client:
        if spoken:
            assert client.get(url).status_code == 200
            return
        with pytest.raises(httpx.TransportError, match=r"(?i)version"):
            client.get(url)


def test_key_that_is_added_or_removed_counts_without_a_restart(
    closed: LocalServers, tmp_path: Path
) -> None:
    keys, file = closed.settings.serving.api_keys, tmp_path / "key"
    erp = closed.settings.erp.model_copy(update={"api_key_file": file})
    file.write_text(add_key(keys, "clinic"))
    wait_until(lambda: status(erp) == 200)
    remove_keys(keys, "clinic")
    wait_until(lambda: status(erp) == 401)
