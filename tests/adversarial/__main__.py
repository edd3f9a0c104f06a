"""`scripts/attack`: parses, attacks, prints."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bench.command import run
from terna.errors import SettingsError, TernaError

if TYPE_CHECKING:
    # Imported where used, as these bring in MLflow and pytest: `--help` answers at once, and each
    # client, which imports this anew, is ready at once.
    from bench.tables import Table
    from tests.adversarial.beside import Found
    from tests.adversarial.listener import Listener
    from tests.e2e.stacks.local import LocalStack
    from tests.e2e.stacks.stack import Stack

    Running = tuple[Stack, Sequence[Listener]]

FOLDER = Path(".terna/attack")
HEADING = (
    "attack",
    "at",
    "the attacker got",
    "others: requests",
    "failed",
    "p50",
    "p99",
    "memory before, peak, after",
)
MAX_P99_MS = 1000

out = Console()


def attack(
    stack: Annotated[str, typer.Option(metavar="[local|compose]")] = "local",
    seconds: Annotated[
        float, typer.Option(min=1, help="How long those attacks go on that do not end themselves.")
    ] = 20,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file.")
    ] = None,
) -> None:
    """Attack serving in every known way, beside a client that asks 20 times a second."""
    from bench.tables import shown
    from terna.files import locked

    if stack not in STACKS:
        raise SettingsError(f"--stack is {' or '.join(STACKS)}.")
    with locked(FOLDER), STACKS[stack]() as (running, listeners):
        found = list(_attacked(running, listeners, seconds))
    if json_file:
        json_file.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    out.print(shown(_table(found)))
    if findings := [line for each in found for line in _findings(each)]:
        raise TernaError("; ".join(findings))


@contextmanager
def _local() -> Iterator["Running"]:
    """Start local processes, with the replica's reverse proxy where nginx is installed."""
    from bench import machine
    from bench.stage import BEHIND_PROXY
    from terna.security.ca import ensure_certificates
    from tests.e2e.stacks.local import LocalStack

    root = FOLDER.absolute() / "run"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    ensure_certificates(root / "certs", root / "secrets", BEHIND_PROXY)
    with LocalStack(root) as stack:
        if not machine.has_nginx():
            yield stack, stack.listeners
            return
        with _proxied(stack) as listener:
            yield stack, [listener, *stack.listeners]


@contextmanager
def _proxied(stack: "LocalStack") -> Iterator["Listener"]:
    from bench.reverse_proxy import ReverseProxy, substitutions
    from terna.erp.from_settings import connection_of
    from terna.ports import free_port
    from tests.adversarial.listener import Listener

    root, port = stack.root, free_port()
    connection = connection_of(stack.settings.erp)
    # A short path: that of a Unix socket has room for 107 bytes.
    with TemporaryDirectory(prefix="terna-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # started by root, nginx's workers are nobody
        keys = root / "certs/erp", root / "secrets/erp"
        changes = substitutions(folder, *keys, port, free_port(), stack.settings.serving.port)
        proxy = ReverseProxy(folder, root / ".terna/logs/nginx.log", changes)
        try:
            yield Listener("reverse proxy", ("127.0.0.1", port), "localhost", connection)
        finally:
            proxy.process.stop()


@contextmanager
def _compose() -> Iterator["Running"]:
    """Start the replica in containers, its images built from this checkout."""
    from tests.e2e.stacks.compose import ComposeStack
    from tests.engine import build_images

    out.print("building the images")
    with ComposeStack(build_images()) as stack:
        stack.write_env()
        stack.project.up()
        yield stack, stack.listeners


STACKS: Mapping[str, "Callable[[], AbstractContextManager[Running]]"] = {
    "local": _local,
    "compose": _compose,
}


def _attacked(stack: "Stack", listeners: Sequence["Listener"], seconds: float) -> Iterator["Found"]:
    from tests.adversarial import served
    from tests.adversarial.attacks import ATTACKS, ATTACKS_ON_CODE
    from tests.adversarial.beside import attacked

    with TemporaryDirectory() as folder:
        for attacks in (ATTACKS, ATTACKS_ON_CODE):
            if attacks is ATTACKS:
                serving = served.serving_a_trained_model(stack)
            else:
                serving = served.serving_a_model_of_code(stack, Path(folder))
            for listener, each in product(listeners, attacks):
                out.print(f"{each.name}, at {listener.name}", highlight=False)
                yield attacked(serving, listener, each, seconds)


def _findings(found: "Found") -> list[str]:
    late = [f"p99 {found.p99_ms:.0f} ms"] if found.p99_ms > MAX_P99_MS else []
    what = f"{found.attack}, at {found.listener}"
    return [f"{what}: {finding}" for finding in (*found.findings, *late)]


def _table(found: Sequence["Found"]) -> "Table":
    from bench.tables import Table

    return Table(HEADING, [_row(each) for each in found])


def _row(found: "Found") -> tuple[str, ...]:
    answers = ", ".join(f"{count:,} × {answer}" for answer, count in sorted(found.answers.items()))
    before, peak, after = found.memory_mb
    return (
        found.attack,
        found.listener,
        answers,
        f"{found.requests:,}",
        str(len(found.failures)),
        f"{found.p50_ms:.0f} ms",
        f"{found.p99_ms:.0f} ms",
        f"{before:.0f}, {peak:.0f}, {after:.0f} MB",
    )


if __name__ == "__main__":
    run(attack)
