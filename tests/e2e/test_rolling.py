"""Commands and accidents that take nothing down: a client beside them loses no request."""

import re
from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.compose import ComposeStack
from tests.engine import docker
from tests.load import Outcome, load_without_retries

pytestmark = pytest.mark.only_on("compose")

OVERLAY = ("-f", "docker-compose.yml", "-f", "docker-compose.ui.yml")
NOT_CONCERNED = ("postgres", "object-store", "serving", "serving-standby", "proxy", "https")


@pytest.fixture
def answers(replica: ComposeStack) -> Iterator[Outcome]:
    replica.project.up()  # as it came up: other tests start serving with settings of their own
    with load_without_retries(replica.settings.erp, holdout_rows(1)[0]) as answers:
        replica.wait_until(lambda: answers.answered > 20)
        yield answers


def starts(replica: ComposeStack, services: Sequence[str]) -> dict[str, str]:
    """Return when each service's container was started."""
    return {name: replica.project.inspect(name)["State"]["StartedAt"] for name in services}


def until_restarted(replica: ComposeStack, service: str, before: str) -> None:
    """Return when Docker has started a container again that was started `before`, and it works."""

    def is_back() -> bool:
        state = replica.project.inspect(service)["State"]
        healthy: bool = state.get("Health", {}).get("Status") == "healthy"
        return healthy and state["StartedAt"] != before

    replica.wait_until(is_back, service)


# ---- docker compose up --------------------------------------------------------------------------


def test_up_with_another_tracking_server_stops_nobody_else(
    replica: ComposeStack, answers: Outcome
) -> None:
    before = starts(replica, NOT_CONCERNED)
    replica.project.compose(*OVERLAY, "up", "--wait", TERNA_UI_PORT=str(replica.project.ui_port))
    assert starts(replica, NOT_CONCERNED) == before
    assert answers.failed == []


# ---- accidents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
@pytest.mark.parametrize("server", ["serving", "serving-standby"])
def test_serving_that_dies_or_hangs_is_started_again_and_loses_no_request(
    replica: ComposeStack, answers: Outcome, server: str, signal: str
) -> None:
    before = starts(replica, [server])[server]
    replica.project.compose("exec", "-T", server, "bash", "-c", f"kill -{signal} -1")
    until_restarted(replica, server, before)
    assert answers.failed == []


def test_postgres_ends_in_seconds_without_a_recovery(replica: ComposeStack) -> None:
    replica.project.compose("restart", "--timeout", "8", "postgres")  # tracking is connected
    replica.wait_until(lambda: ended(replica) != [], "postgres")
    assert ended(replica)[-1] == "shut down"


def ended(replica: ComposeStack) -> list[str]:
    """Return how the database found that it had ended, at each of its starts."""
    return re.findall("database system was (shut down|interrupted)", replica.log("postgres"))


# ---- scripts/upgrade ----------------------------------------------------------------------------


@pytest.fixture
def dockerfile(replica: ComposeStack) -> Iterator[list[str]]:
    """Lines that the clone's image of serving gets at its end, until the test has ended."""
    path = replica.root / "services/serving/Dockerfile"
    written, image = path.read_text(), f"terna/serving:{replica.project.tag}"
    found = docker("image", "inspect", "--format", "{{.Id}}", image).strip()
    lines: list[str] = []
    yield lines
    path.write_text(written)
    docker("tag", found, image)
    assert lines


def write(replica: ComposeStack, lines: list[str], line: str) -> None:
    lines.append(line)
    with (replica.root / "services/serving/Dockerfile").open("a") as file:
        file.write(f"{line}\n")


def upgrade(replica: ComposeStack, *options: str) -> tuple[int, str]:
    project = replica.project
    done = project.checkout.run(["scripts/upgrade", *options], project.environment())
    return done.returncode, done.stderr


def images(replica: ComposeStack) -> list[str]:
    """Return the image that serving and its standby run."""
    return [replica.project.inspect(name)["Image"] for name in ("serving", "serving-standby")]


def test_upgrade_replaces_both_and_loses_no_request(
    replica: ComposeStack, answers: Outcome, dockerfile: list[str], request: pytest.FixtureRequest
) -> None:
    """With `--requests 5000`, as many upgrades follow each other as that takes."""
    while not dockerfile or answers.answered < request.config.getoption("requests"):
        before = images(replica)
        write(replica, dockerfile, f"ENV UPGRADE={len(dockerfile)}")
        assert upgrade(replica)[0] == 0
        assert not {*before} & {*images(replica)}
    assert len({*images(replica)}) == 1
    assert answers.failed == []


def test_upgrade_that_does_not_get_healthy_goes_back_and_loses_no_request(
    replica: ComposeStack, answers: Outcome, dockerfile: list[str]
) -> None:
    before = images(replica)
    write(replica, dockerfile, 'CMD ["no-such-command"]')
    code, told = upgrade(replica, "--wait-timeout", "15")
    assert code == 1
    assert "serving-standby does not get healthy" in told
    assert "the images before are in use again" in told
    assert images(replica) == before
    assert answers.failed == []


# ---- scripts/up ---------------------------------------------------------------------------------


def check(replica: ComposeStack, **settings: str) -> str:
    """Return why `scripts/up` would not go on; empty where it would."""
    project = replica.project
    done = project.checkout.run(["scripts/up", "--check"], project.environment(**settings))
    assert bool(done.stderr) == bool(done.returncode)
    return done.stderr


def test_running_replica_passes_the_check(replica: ComposeStack) -> None:
    assert check(replica) == ""


def test_port_that_is_taken_is_told_with_its_setting(replica: ComposeStack) -> None:
    taken = str(replica.project.https_port)
    told = check(replica, COMPOSE_PROJECT_NAME="terna-another", TERNA_HTTPS_PORT=taken)
    assert f"port {taken} of this machine is taken" in told
    assert "TERNA_HTTPS_PORT=" in told


def test_second_clone_of_the_same_name_is_refused(replica: ComposeStack) -> None:
    checkout, second = replica.project.checkout, "second"
    checkout.run(f"mkdir ../{second} && cp -r docker-compose.yml scripts ../{second}", {})
    told = checkout.run(f"../{second}/scripts/up --check", replica.project.environment())
    assert told.returncode == 1
    assert f"{replica.root} runs here as {replica.project.name} already" in told.stderr
    assert "COMPOSE_PROJECT_NAME=" in told.stderr
