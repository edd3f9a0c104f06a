"""What is documented exists, and what exists is documented."""

import ast
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import typer.main
import yaml
from prometheus_client.metrics import MetricWrapperBase

from terna.cli.app import app
from terna.serving import metrics
from tests.checkout import ROOT
from tests.unit.test_settings import existing, read_by_compose

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("scripts", "certs", "secrets")),
]
GENERATED = ("certs/", "secrets/")
"""Folders whose files are made on each machine."""

WITH_FORMER_NAMES = ("glossary.md", "CHANGELOG.md")
"""Pages that say how things were called in 0.1.0."""

MODULES = (".py", ".ll", ".html")
"""How the files of the package end that ARCHITECTURE.md names."""


def text(page: str) -> str:
    return (ROOT / page).read_text()


def guides() -> str:
    """All of docs/ but the decisions, which tell what was, not how to."""
    return "".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))


def commands() -> dict[str, click.Command]:
    """Each command of `terna`, hidden ones too."""
    group = typer.main.get_command(app)
    return dict(group.commands)  # type: ignore[attr-defined]


def services() -> set[str]:
    return set(yaml.safe_load(text("docker-compose.yml"))["services"])


# ---- ARCHITECTURE.md --------------------------------------------------------------------------


def modules() -> set[str]:
    """Every module with something in it, and every file that one reads, as `terna/a/b.py`."""
    found = (path for path in (ROOT / "terna").rglob("*") if path.suffix in MODULES)
    named = (path.relative_to(ROOT).as_posix() for path in found)
    return {path for path in named if not path.endswith(("__init__.py", "__main__.py"))}


def mapped(page: str) -> set[str]:
    """The files of the map: a heading with the folder, and a row for each file below it."""
    files, folder = set(), ""
    for line in page.splitlines():
        if line.startswith("#"):
            folder = line.strip("# ")
        elif folder.startswith("terna/") and (row := re.match(r"\| `([\w.]+)` \| \S", line)):
            files.add(folder + row[1])
    return files


def test_every_module_is_on_the_map() -> None:
    missing = modules() - mapped(text("ARCHITECTURE.md"))
    assert not missing, f"ARCHITECTURE.md's map lacks: {', '.join(sorted(missing))}"


def test_every_file_that_architecture_names_exists() -> None:
    page = text("ARCHITECTURE.md")
    named = mapped(page) | set(re.findall(r"`(terna/[\w/]+\.\w+)`", page))
    gone = {path for path in named if not (ROOT / path).is_file()}
    assert named
    assert not gone, f"ARCHITECTURE.md names what is not there: {', '.join(sorted(gone))}"


# ---- what exists is documented ----------------------------------------------------------------


def test_every_script_has_a_line_in_the_scripts_page() -> None:
    scripts = {path.name for path in (ROOT / "scripts").iterdir() if path.suffix != ".md"}
    page = text("scripts/README.md")
    missing = {name for name in scripts if f"| `scripts/{name}" not in page}
    assert scripts
    assert not missing, f"scripts/README.md lacks: {', '.join(sorted(missing))}"


def test_every_decision_is_in_the_index() -> None:
    page = text("docs/decisions/README.md")
    notes = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}
    missing = {name for name in notes if f"({name})" not in page}
    assert notes
    assert not missing, f"docs/decisions/README.md lacks: {', '.join(sorted(missing))}"
    assert page.count("](0") == len(notes)


def test_every_setting_has_a_row_with_its_default_in_operations() -> None:
    settings = {name: default for name, (default, _) in existing().items()} | read_by_compose()
    page = text("docs/operations.md")
    cells = {name: f"`{default}`" if default else "" for name, default in settings.items()}
    missing = {name for name, cell in cells.items() if f"| `{name}` | {cell} |" not in page}
    assert not missing, f"docs/operations.md lacks, or has another default: {sorted(missing)}"


def test_every_setting_in_the_pages_exists() -> None:
    known = existing().keys() | read_by_compose().keys()
    pages = [page for page in PAGES if page.name not in WITH_FORMER_NAMES]
    named = {
        name for page in pages for name in re.findall(r"\bTERNA_[A-Z_]+[A-Z]", page.read_text())
    }
    assert named
    assert not named - known, f"no such settings: {sorted(named - known)}"


def test_every_command_is_in_the_guides() -> None:
    pages = guides()
    missing = {name for name in commands() if not re.search(rf"`terna {name}\b", pages)}
    assert not missing, f"docs/ lacks: {', '.join(f'`terna {name}`' for name in sorted(missing))}"


def test_every_command_in_the_pages_exists() -> None:
    pages = [page for page in PAGES if page.name not in WITH_FORMER_NAMES]
    named = {
        name for page in pages for name in re.findall(r"`terna ([a-z][a-z-]*)", page.read_text())
    }
    assert named
    assert not named - commands().keys(), f"no such commands: {sorted(named - commands().keys())}"


def test_every_metric_has_a_row_in_the_serving_api() -> None:
    page = text("docs/serving-api.md")
    counted = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    names = {family.name for each in counted for family in each.describe()}
    missing = {name for name in names if f"| `{name}`" not in page}
    assert names
    assert not missing, f"docs/serving-api.md lacks: {', '.join(sorted(missing))}"


# ---- links ------------------------------------------------------------------------------------


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """Where the links and pictures of a page lead to, inline or by reference."""
    inline = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return inline + re.findall(r"^\[[^\]]+\]: (\S+)$", prose(page), re.MULTILINE)


def anchors(page: str) -> set[str]:
    """The anchors that a page's headings have, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for link in links(page.read_text()):
        if urlsplit(link).scheme:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_and_anchors_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_links_of_the_readme_are_found() -> None:
    found = links(text("README.md"))
    assert {"docs/quickstart.md", "docs/images/overview.png", "LICENSE"} <= set(found)


def test_link_to_a_missing_file_or_anchor_is_broken(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[a](#a-title) [b](#another) [c](gone.md) [d](https://example.org)\n"
    )
    assert list(broken(page)) == ["#another", "gone.md"]


# ---- shell lines ------------------------------------------------------------------------------


def shell_lines(page: str) -> list[str]:
    """The lines of the fenced blocks without a language, a continued one in one piece."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    joined = "".join(block.replace("\\\n", " ") for language, block in blocks if not language)
    return [line for line in joined.splitlines() if line.strip()]


def wrong_with(line: str) -> str:
    """What a shell line names that does not exist; empty when all of it does."""
    words = shlex.split(line)
    while words and "=" in words[0]:  # settings before the command
        name = words.pop(0).partition("=")[0]
        if name not in existing().keys() | read_by_compose().keys():
            return f"no setting {name}"
    first, rest = words[0].removeprefix(".venv/bin/"), words[1:]
    if first.startswith("scripts/"):
        return wrong_with_script(first, rest)
    return CHECKS[first](rest) if first in CHECKS else f"no command {first}"


def wrong_with_script(script: str, words: Sequence[str]) -> str:
    if not (ROOT / script).is_file():
        return f"no script {script}"
    if script == "scripts/demo":
        return wrong_with_terna(["demo", *words])
    return ""


def wrong_with_terna(words: Sequence[str]) -> str:
    found = commands().get(words[0])
    if found is not None and hasattr(found, "commands"):  # a group, such as `terna model`
        found = found.commands.get(words[1])
    if found is None:
        return f"no command terna {' '.join(words[:2])}"
    known = {name for each in found.params for name in each.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"terna {words[0]} has no {unknown}" if unknown else ""


def wrong_with_docker(words: Sequence[str]) -> str:
    files = [word for before, word in pairwise(words) if before == "-f"]
    if gone := [file for file in files if not (ROOT / file).is_file()]:
        return f"no file {gone}"
    verb, *rest = [word for word in words if not word.startswith("-") and word not in files][1:]
    if words[0] != "compose" or verb not in ("build", "exec", "logs", "restart", "run", "up"):
        return f"docker {words[0]} {verb} is unknown here"
    if verb == "run" and (wrong := wrong_with_terna(rest[1:])):
        return wrong
    named = rest[:1] if verb in ("exec", "run") else rest
    unknown = set(named) - services()
    return f"no services {sorted(unknown)}" if unknown else ""


def wrong_with_curl(words: Sequence[str]) -> str:
    url = urlsplit(next(word for word in words if word.startswith("https://")))
    routes = text("terna/serving/http/app.py")
    known = f'"{url.path}"' in routes and url.netloc in ("localhost:8443", "localhost:8124")
    return "" if known and words[words.index("--cacert") + 1] == "certs/ca.crt" else f"no {url}"


def wrong_with_ssh(words: Sequence[str]) -> str:
    key, port, _, *command = (word for word in words if word not in ("-i", "-p"))
    if not key.startswith(GENERATED) or port != "2222" or command[0] != "terna":
        return f"no such login: {words}"
    return wrong_with_terna(command[1:])


CHECKS: dict[str, Callable[[Sequence[str]], str]] = {
    "terna": wrong_with_terna,
    "docker": wrong_with_docker,
    "curl": wrong_with_curl,
    "ssh": wrong_with_ssh,
    "git": lambda _: "",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_shell_lines_name_what_exists(page: Path) -> None:
    wrong = {line: why for line in shell_lines(page.read_text()) if (why := wrong_with(line))}
    assert not wrong


def test_shell_lines_of_the_quickstart_are_found() -> None:
    lines = shell_lines(text("docs/quickstart.md"))
    assert "scripts/demo --keep" in lines
    assert "docker compose up --wait" in lines
    assert any(line.startswith("curl ") and '"inputs"' in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "scripts/gone",
        "scripts/demo --gone",
        "terna gone",
        "terna train --gone",
        "terna model gone",
        "terna model sign --gone",
        "docker compose restart gone",
        "docker compose -f gone.yml up",
        "docker gone up",
        "docker compose run init-secrets secrets gone",
        "curl --cacert certs/ca.crt https://localhost:8443/gone",
        "ssh -i secrets/ssh/id_ed25519 -p 2222 analyst@127.0.0.1 terna gone",
        "TERNA_GONE=1 scripts/demo",
        "gone",
    ],
)
def test_shell_line_that_names_what_is_not_there_is_found(line: str) -> None:
    assert wrong_with(line)


NO_VERBS = frozenset(
    [
        "a",
        "all",
        "an",
        "and",
        "another",
        "any",
        "as",
        "at",
        "both",
        "by",
        "each",
        "every",
        "everything",
        "for",
        "from",
        "how",
        "if",
        "in",
        "it",
        "its",
        "more",
        "no",
        "none",
        "not",
        "nothing",
        "of",
        "on",
        "one",
        "only",
        "other",
        "same",
        "some",
        "that",
        "the",
        "these",
        "this",
        "those",
        "to",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "who",
        "why",
        "with",
        "without",
    ]
)


def functions_without_a_verb(folder: str) -> Iterator[str]:
    """Yield the functions whose docstring begins with a word that is no verb; properties may."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = (ast.get_docstring(node) or "Return").split()
                is_property = any("property" in ast.dump(d) for d in node.decorator_list)
                if words[0].lower().strip("`.,:;") in NO_VERBS and not is_property:
                    yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


@pytest.mark.parametrize("folder", ["terna", "bench", "soak"])
def test_every_docstring_of_a_function_begins_with_a_verb(folder: str) -> None:
    assert list(functions_without_a_verb(folder)) == []
