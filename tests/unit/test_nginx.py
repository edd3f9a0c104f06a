"""The reverse proxy's configuration: for any image's nginx, with the documented defaults."""

import re

from tests.checkout import ROOT

FILES = {path.name: path.read_text() for path in (ROOT / "nginx").rglob("*.conf")}
OURS = ("/certs/", "/secrets/", "/tmp/", "/dev/", "/opt/terna/", "/run/https/", "/run/erp/")


def paths(configuration: str) -> set[str]:
    """Every file and folder that a configuration names."""
    directives = re.sub(r"#.*|\"[^\"]*\"|'[^']*'|location .*|error_page .*", "", configuration)
    return set(re.findall(r"(?:\s|unix:)(/[^\s;]+)", directives))


def test_configuration_names_no_path_of_one_distribution() -> None:
    named = set().union(*(paths(text) for text in FILES.values()))
    assert "/certs/tls.crt" in named
    assert {path for path in named if not path.startswith(OURS)} == set()


def test_defaults_are_those_of_the_compose_file() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    default = dict(re.findall(r"\$\{TERNA_PROXY_(\w+):-([^}]+)\}", compose))
    assert f"include tls/{default['TLS']}.conf;" in FILES["settings.conf"]
    assert f" rate={default['RATE']}r/s;" in FILES["settings.conf"]
    assert f" burst={default['BURST']} " in FILES["settings.conf"]
    assert f"limit_conn concurrent {default['CONCURRENT']};" in FILES["settings.conf"]


def test_connections_to_the_erp_end_here_before_they_end_there() -> None:
    """Else requests of people meet connections that gunicorn is closing: Bad Gateway."""
    (here,) = re.findall(r"upstream erp \{[^}]*keepalive_timeout (\d+)s;", FILES["nginx.conf"])
    gunicorn = (ROOT / "services/erp/gunicorn.conf.py").read_text()
    (there,) = re.findall(r"^keepalive = (\d+)", gunicorn, re.MULTILINE)
    assert int(here) < int(there)
