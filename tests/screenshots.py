"""The README's pictures: what people see of a demo that is up, in Chromium."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib
from PIL import Image

from terna.processes import stop
from tests import browser
from tests.browser import Browser
from tests.e2e.erp import Person, enrol

matplotlib.use("agg")
from matplotlib import pyplot

ERP = {
    "labels": "the customers and their labels in the ERP",
    "customer": "one of them, whom the model expects to leave",
}
OVERVIEW = {
    "report": "1 · train: the report on the table",
    "model": "2 · track: the model in MLflow's registry",
    "docs": "3 · serve: the endpoint's own page",
}
SHOWN = {"model": slice(200, 1100)}
"""Columns of pixels: between MLflow's menu and its assistant."""


@dataclass(frozen=True)
class Demo:
    """A demo that is up."""

    folder: Path
    facts: Mapping[str, Any]
    erp: str

    @property
    def serving(self) -> str:
        return str(self.facts["endpoint"]).removesuffix("/invocations")

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text().strip()


def main() -> None:
    """Make the pictures in a folder, docs/images by default."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    if not browser.is_installed():
        sys.exit("screenshot: there is no Chromium: sudo apt install chromium chromium-driver")
    folder.mkdir(parents=True, exist_ok=True)
    with demo() as shown, browser.browser() as window:
        shoot_erp(shown, window)
        shoot_overview(shown, window)
        for name, pages in (("erp", ERP), ("overview", OVERVIEW)):
            picture = folder / f"{name}.png"
            put_together(shown.folder, pages, picture)
            print(f"{picture}: {picture.stat().st_size // 1024} KB")  # noqa: T201 - what it is for


@contextmanager
def demo() -> Iterator[Demo]:
    """Run a demo in a folder of its own, whose first version is shown."""
    with TemporaryDirectory() as place:
        folder, log = Path(place), Path(place) / "demo.log"
        terna = str(Path(sys.executable).with_name("terna"))
        command = [terna, "demo", "--erp", "--keep", "--trials", "3", "--json", "facts.json"]
        # A browser has no certificate to show.
        environment = os.environ | {"TERNA_SERVING_CLIENT_CERTIFICATES": "False", "COLUMNS": "200"}
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                erp = wait_for_erp(process, log)
                yield Demo(folder, json.loads((folder / "facts.json").read_text()), erp)
            finally:
                stop(process, 30)


def wait_for_erp(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the ERP's address when it is up; ends the program when it will not be."""
    while True:
        told = log.read_text()
        for line in told.splitlines():
            if line.startswith("ERP "):
                if "no web client" in line:
                    sys.exit(f"screenshot: {line}")
                return line.split()[1]
        if process.poll() is not None:
            sys.exit(told)
        time.sleep(1)


def shoot_erp(shown: Demo, window: Browser) -> None:
    """Show the customers by name, and one whom the model expects to leave."""
    login = "case-handler"
    ca, password = shown.folder / "certs/ca.crt", shown.secret(f"erp/users/{login}")
    person = enrol(shown.erp, ca, login, password)
    window.resize(1490, 960)
    person.log_in(window)
    window.wait_for("Labels of Customers", "Will stay")
    window.press("Party")
    window.wait_for("Aaron", "Will leave")
    window.screenshot(shown.folder / "labels.png")
    person.show(window, f"party.party/{who_leaves(person)}")
    window.press("Churn")
    window.wait_for_fields(Label="Will leave")
    window.screenshot(shown.folder / "customer.png")


def who_leaves(person: Person) -> int:
    """Return the party of whom the model is surest that it leaves."""
    leaving, surest = [("label", "=", "yes")], [("probability", "DESC")]
    features = "model.terna.customer.features.search_read"
    (found,) = person.call(features, leaving, 0, 1, surest, ["party"])
    return int(found["party"])


def shoot_overview(shown: Demo, window: Browser) -> None:
    """Show the report on the table, the model in MLflow's UI, and the endpoint's page."""
    window.resize(1000, 1200)
    window.open(f"file://{shown.folder}/.terna/training/rfc_tune/explore.html")
    window.wait_for("rows")
    window.screenshot(shown.folder / "report.png")
    window.resize(900, 1100)
    window.send_header("authorization", f"Bearer {shown.secret('api-keys/erp')}")
    window.open_until(f"{shown.serving}/docs", "rfc_tune")
    window.screenshot(shown.folder / "docs.png")
    window.resize(1490, 1150)
    # MLflow's UI asks for a login, which the browser keeps from the first page on.
    tracking, password = shown.facts["tracking"], shown.secret("tracking/logins/promoting")
    window.send_header()
    window.open(f"{tracking.replace('//', f'//promoting:{password}@')}/version")
    window.open(f"{tracking}/#/models/rfc_tune")
    window.wait_for("rfc_tune", "Version 1")
    window.screenshot(shown.folder / "model.png")


def put_together(folder: Path, pages: Mapping[str, str], picture: Path) -> None:
    """Put pages beside each other, each below its title."""
    shots = [
        pyplot.imread(folder / f"{page}.png")[:, SHOWN.get(page, slice(None))] for page in pages
    ]
    widths = [shot.shape[1] / shot.shape[0] for shot in shots]
    figure, axes = pyplot.subplots(
        *(1, len(pages)),
        figsize=(24, 24 / sum(widths) + 0.8),
        width_ratios=widths,
        facecolor="white",
        layout="constrained",
    )
    for axis, shot, title in zip(axes, shots, pages.values(), strict=True):
        axis.imshow(shot, interpolation="lanczos")
        axis.set_title(title, fontsize=24, loc="left", pad=12)
        axis.set(xticks=[], yticks=[])
        for side in axis.spines.values():
            side.set_color("#c8c8c8")
    whole = folder / "whole.png"
    figure.savefig(whole, dpi=100, bbox_inches="tight", pad_inches=0.1)
    # A palette takes a fifth of the bytes; that of an octree has the colours of small things, too.
    palette = Image.Quantize.FASTOCTREE
    Image.open(whole).convert("RGB").quantize(255, palette).save(picture, optimize=True)


if __name__ == "__main__":
    main()
