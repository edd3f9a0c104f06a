"""A company's own CA for package downloads: the builds honour it, and no image keeps it."""

import io
import json
import os
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from terna.security.ca import Service, ensure_certificates
from tests.engine import docker, need_engine

PAGES = {
    "/debian/./Release": b"Origin: company\n",
    "/debian/./Packages": b"",
    "/simple/parcel/": b'<a href="parcel-1.0-py3-none-any.whl">parcel-1.0-py3-none-any.whl</a>',
    "/go/company.example/parcel/@v/v1.0.0.info": b'{"Version": "v1.0.0"}',
    "/go/company.example/parcel/@v/v1.0.0.mod": b"module company.example/parcel\n",
}

APT = """rm -rf /etc/apt/sources.list* \
    && echo "deb [trusted=yes] $MIRROR/debian ./" >/etc/apt/sources.list \
    && apt-get update --error-on=any"""
PIP = "pip --retries=0 --no-cache-dir index versions --index-url $MIRROR/simple parcel"
GO = "GOPROXY=$MIRROR/go GONOSUMDB=* go list -m company.example/parcel@v1.0.0"

downloads = pytest.mark.parametrize(
    ("service", "stage", "command"),
    [
        pytest.param("serving", "packages", APT, id="apt"),
        pytest.param("serving", "packages", PIP, id="pip"),
        pytest.param("object-store", "build", GO, id="Go"),
    ],
)
"""The stage of an image that downloads by a tool, and one more download by it."""


@dataclass(frozen=True)
class Mirror:
    """A company's mirror of packages; its certificate is of the company's own CA."""

    url: str
    ca: Path


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    certs, secrets = tmp_path / "certs", tmp_path / "secrets"
    ensure_certificates(certs, secrets, [Service("mirror", ("localhost",))])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certs / "mirror/tls.crt", secrets / "mirror/tls.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=server.serve_forever).start()
        try:
            yield Mirror(f"https://localhost:{server.server_port}", certs / "ca.crt")
        finally:
            server.shutdown()


class Pages(BaseHTTPRequestHandler):
    """Answers the pages of the mirror; a client that refuses its certificate gets none."""

    def do_GET(self) -> None:
        page = PAGES.get(self.path, b"")
        self.send_response(200 if self.path in PAGES else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Tell nobody."""


@pytest.fixture
def image() -> Iterator[str]:
    """The name of an image to build."""
    need_engine()
    name = f"terna-download-test:{uuid4().hex}"
    yield name
    docker("rmi", "--force", name, f"{name}-stage")


@downloads
def test_build_with_the_ca_downloads_and_keeps_it_in_no_layer(
    mirror: Mirror, image: str, service: str, stage: str, command: str, tmp_path: Path
) -> None:
    done = build(image, service, stage, download(command, mirror), authorities(tmp_path, mirror.ca))
    assert done.returncode == 0, done.stderr
    docker("save", "--output", str(tmp_path / "image.tar"), image)
    layer = last_layer(tmp_path / "image.tar")
    assert layer["downloaded"] == b"yes\n"
    assert not any(mirror.ca.read_bytes() in each for each in layer.values())


@downloads
def test_build_without_the_ca_refuses_the_mirror(
    mirror: Mirror, image: str, service: str, stage: str, command: str, tmp_path: Path
) -> None:
    done = build(image, service, stage, download(command, mirror), authorities(tmp_path))
    assert done.returncode != 0
    assert "certificate" in done.stderr.lower()


def authorities(folder: Path, *more: Path) -> Path:
    """What a build is handed: the CAs that this machine itself needs for downloads, and more."""
    own = Path(os.environ.get("TERNA_BUILD_CA", os.devnull))
    handed = folder / "handed.crt"
    handed.write_text("".join(each.read_text() for each in (own, *more)))
    return handed


def download(command: str, mirror: Mirror) -> str:
    return f"export MIRROR={mirror.url}; {command} && echo yes >/downloaded"


def build(
    image: str, service: str, stage: str, command: str, ca: Path
) -> subprocess.CompletedProcess[str]:
    """Build an image that goes on from a stage of a service's with one more command."""
    start = f"{image}-stage"
    dockerfile = f"services/{service}/Dockerfile"
    secret = f"--secret=id=ca,src={ca}"
    docker("buildx", "build", secret, "--file", dockerfile, "--target", stage, "--tag", start, ".")
    run = "RUN --mount=type=secret,id=ca,mode=0444"
    return subprocess.run(
        ["docker", "buildx", "build", secret, "--network=host", "--tag", image, "-"],
        input=f"FROM {start}\n{run} {command}\n",
        capture_output=True,
        text=True,
        check=False,
    )


def last_layer(saved: Path) -> dict[str, bytes]:
    """The files of the last layer of an image that `docker save` wrote."""
    with tarfile.open(saved) as image:
        (manifest,) = json.loads(content(image, "manifest.json"))
        packed = io.BytesIO(content(image, manifest["Layers"][-1]))
    with tarfile.open(fileobj=packed) as layer:
        return {file.name: content(layer, file.name) for file in layer if file.isfile()}


def content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
