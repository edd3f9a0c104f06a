"""Commands for this machine: the demo, and the certificates, keys and passwords of the servers."""

import json
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from terna.cli.console import out, print_line
from terna.cli.options import Name, TableOptions, Trials, with_table_options
from terna.errors import SettingsError
from terna.progress import Terminal
from terna.settings import DEFAULT_MODEL, Settings

KEPT = "Everything stays up. Ctrl-C ends it."
ENDED = "That was all: the servers stop. With --keep they stay up until Ctrl-C."


@with_table_options
def demo(
    *,
    name: Name = DEFAULT_MODEL,
    table: TableOptions,
    trials: Trials = None,
    keep: Annotated[bool, typer.Option(help="Leave everything up until Ctrl-C.")] = False,
    erp: Annotated[
        bool,
        typer.Option("--erp", help="Also bring up Tryton with the customers and their labels."),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the facts to this file.")
    ] = None,
) -> None:
    """Train, promote and serve on this machine, and ask for labels over HTTPS."""
    from terna.local import demo, summary
    from terna.local.erp import LocalErp
    from terna.local.servers import LocalServers, describe_moved_ports, local_settings

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    defaults = Settings.load()
    settings = local_settings(Path.cwd(), defaults, model=name)
    request = table.request()
    if json_file and not json_file.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {json_file.parent} for --json to write to.")
    reporter = Terminal(out)
    for line in describe_moved_ports(defaults, settings):
        reporter.say(line)
    with ExitStack() as up:
        servers = up.enter_context(LocalServers(Path.cwd(), settings, reporter))
        result = demo.run(servers, reporter, request, trials or settings.training.trials)
        if json_file:
            document = summary.summary_json(result, settings)
            json_file.write_text(json.dumps(document, indent=1) + "\n")
        summary.print_summary(result, settings, out)
        if erp:
            beside = LocalErp(Path.cwd(), settings, reporter, result.columns, result.customers)
            summary.print_erp(up.enter_context(beside), out)
        out.print(f"\n{KEPT if keep else ENDED}")
        if keep:
            signal.pause()


def certificates() -> None:
    """Make the CA, certificates and keys that are missing below the working directory."""
    from terna.local.servers import ensure_local_secrets

    for path in ensure_local_secrets(Settings.load(), Path.cwd()):
        print_line(f"made {path}")


def init_secrets(certs: Path, secrets: Path) -> None:
    """Make the replica's certificates, keys and passwords where they are missing."""
    from terna.security.secrets import ensure_all

    ensure_all(certs, secrets)


def renew(certs: Path, secrets: Path) -> None:
    """Make the replica's certificates anew at half of their life, from now on; does not return."""
    from terna.security.renewal import renew_repeatedly
    from terna.security.secrets import renew_certificates
    from terna.serving import logs

    logs.configure()
    renew_repeatedly(partial(renew_certificates, certs, secrets), certs)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
