"""Settings: their variables, defaults and explanations, and the error of a wrong one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from terna.errors import SettingsError
from terna.settings import Audit, Erp, Serving, Settings, Tracking, Training
from tests.checkout import ROOT

EXAMPLE = ROOT / ".env.example"
NOT_IN_CONTAINERS = "# Not in containers: "
"""How a line begins that says why a setting has no effect there."""

SERVICES = {
    "Tracking": "tracking",
    "Training": "training",
    "Serving": "serving",
    "Erp": "init-erp",
}
"""The service of each group of settings."""

GROUPS: tuple[type[BaseSettings], ...] = (Tracking, Training, Serving, Erp, Audit)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment and a working directory that say nothing."""
    monkeypatch.chdir(tmp_path)
    for group in GROUPS:
        for name in group.model_fields:
            monkeypatch.delenv(variable(group, name), raising=False)


def variable(group: type[BaseSettings], name: str) -> str:
    return f"TERNA_{group.__name__}_{name}".upper()


def existing() -> dict[str, tuple[str, str]]:
    """Each variable with its default and what it is for, in order."""
    return {
        variable(group, name): (str(field.default), field.description or "")
        for group in GROUPS
        for name, field in group.model_fields.items()
    }


def read_by_compose() -> dict[str, str]:
    """Each variable of the compose files with its default, without those that are settings too."""
    files = "".join(path.read_text() for path in ROOT.glob("docker-compose*.yml"))
    found = dict(re.findall(r"\$\{(TERNA_\w+):-([^}]*)\}", files))
    return {name: default for name, default in found.items() if name not in existing()}


def listed() -> Iterator[tuple[str, tuple[str, str]]]:
    """The same, as `.env.example` has it: the comment lines above a setting are about it."""
    for block in EXAMPLE.read_text().split("\n\n"):
        block = re.sub(f"(?m)^{NOT_IN_CONTAINERS}.+\n", "", block)
        if found := re.fullmatch(r"((?:# .+\n)+)#(\w+)=(.*)\n*", block):
            explained = " ".join(line.removeprefix("# ") for line in found[1].splitlines())
            yield found[2], (found[3], explained)


def test_env_example_lists_exactly_the_settings_with_their_defaults() -> None:
    settings = dict(listed())
    for name, default in read_by_compose().items():
        assert settings.pop(name)[0] == default
    assert list(settings.items()) == list(existing().items())


def passed_on(service: str) -> set[str]:
    """The settings of this service that have the value of `.env`: those without one in compose."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    environment = compose["services"][service]["environment"]
    return {name for name, value in environment.items() if value is None}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_every_setting_reaches_its_container_or_says_that_it_does_not(
    group: type[BaseSettings],
) -> None:
    names = {variable(group, name) for name in group.model_fields}
    marked = {
        found[1] for found in re.finditer(rf"{NOT_IN_CONTAINERS}.+\.\n#(\w+)=", EXAMPLE.read_text())
    }
    service = SERVICES.get(group.__name__)
    assert names - marked == (passed_on(service) & names if service else set())


def test_container_has_five_seconds_more_to_stop_than_serving_drains_for() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    period = re.fullmatch(
        r"\$\{TERNA_SERVING_DRAIN_SECONDS:-(\d+)\}s5s",
        compose["services"]["serving"]["stop_grace_period"],
    )
    assert period
    assert int(period[1]) == Serving().drain_seconds


def test_first_model_is_trained_with_the_settings_of_server_1() -> None:
    assert passed_on("first-model") == passed_on("training")


def test_both_one_shots_of_the_erp_know_whether_it_begins_with_customers() -> None:
    assert passed_on("first-labels") == passed_on("init-erp") == {"TERNA_ERP_CUSTOMERS"}


@pytest.mark.parametrize("service", ["training", "tracking", "serving", "init-erp"])
def test_nothing_secret_and_no_path_is_passed_on(service: str) -> None:
    fields = {
        variable(group, name): f for group in GROUPS for name, f in group.model_fields.items()
    }
    for name in passed_on(service):
        assert fields[name].repr
        assert fields[name].annotation is not Path


def test_env_example_has_no_line_that_is_no_setting() -> None:
    written = re.findall(r"^#?\s*(TERNA_\w+)\s*=", EXAMPLE.read_text(), flags=re.MULTILINE)
    assert written == [name for name, _ in listed()]


def test_env_example_used_as_env_changes_nothing(tmp_path: Path) -> None:
    defaults = Settings.load()
    Path(tmp_path, ".env").write_text(re.sub(r"(?m)^#(?=TERNA_)", "", EXAMPLE.read_text()))
    assert Settings.load() == defaults


@pytest.mark.parametrize("name", existing())
def test_every_setting_is_explained(name: str) -> None:
    _, explained = existing()[name]
    assert explained.endswith(".")


def test_environment_gives_another_process_the_same_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = Settings(
        Tracking(uri="https://tracking:5000", timeout_seconds=2.5, ca=Path("/a folder/ca.crt")),
        Training(trials=3, folds=7, seed=42, workspace_dir=Path("elsewhere")),
        Serving(port=9000, poll_seconds=0.5, model="another"),
        Erp(timeout_seconds=1, endpoint="https://serving:8124/invocations"),
        Audit(log=Path("/a folder/audit.jsonl")),
    )
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == given


def test_environment_names_every_setting() -> None:
    assert list(Settings.load().environment()) == list(existing())


def test_variable_has_priority_over_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path(tmp_path, ".env").write_text("TERNA_SERVING_PORT=1\nTERNA_SERVING_MODEL=mine\nOTHER=x\n")
    monkeypatch.setenv("TERNA_SERVING_PORT", "2")
    serving = Settings.load().serving
    assert (serving.port, serving.model) == (2, "mine")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TERNA_SERVING_PORT", "https"),
        ("TERNA_SERVING_PORT", "0"),
        ("TERNA_SERVING_PORT", ""),
        ("TERNA_TRACKING_PORT", "65536"),
        ("TERNA_TRACKING_TIMEOUT_SECONDS", "0"),
        ("TERNA_TRAINING_FOLDS", "1"),
        ("TERNA_TRAINING_TRIALS", "0"),
        ("TERNA_SERVING_POLL_SECONDS", "-1"),
        ("TERNA_ERP_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_wrong_value_is_one_line_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"\A{name}: input should .+\Z"):
        Settings.load()


def test_settings_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().serving.port = 1
