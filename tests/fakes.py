"""The registry and the runs in memory, without MLflow.

They raise what those on MLflow raise: `TrackingUnreachable` while `reachable` is False, and
`TrackingRefused` for what does not exist.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terna.contracts.version import Version
from terna.errors import FilesRefused, TrackingRefused, TrackingUnreachable
from terna.registry.registry import REJECTED, SERVING, STATUS_TAG
from terna.registry.runs import Source


class _Server:
    def __init__(self) -> None:
        self.reachable = True

    def _answer(self) -> None:
        if not self.reachable:
            raise TrackingUnreachable(
                "The tracking server at memory: does not answer. Is it running, and is"
                " TERNA_TRACKING_URI right?"
            )

    @staticmethod
    def _refuse(reason: str) -> TrackingRefused:
        return TrackingRefused(f"The tracking server at memory: refused: {reason}")


class MemoryRegistry(_Server):
    """Registered models by name; their files are copies in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.versions: dict[str, list[Version]] = {}
        self.aliases: dict[str, int] = {}
        self.stages: dict[str, int] = {}
        self.promoted: dict[str, int] = {}
        self.tags: dict[tuple[str, int], dict[str, str]] = {}
        self.other_aliases: dict[tuple[str, str], int] = {}

    def check(self) -> None:
        self._answer()

    def production(self, name: str) -> Version | None:
        """Return what alias or stage points to, whichever moved since the last promotion."""
        self._answer()
        alias, stage = self.aliases.get(name), self.stages.get(name)
        number = stage if alias is None or alias == self.promoted.get(name) else alias
        number = number or alias
        return self.version(name, number) if number else None

    def serving_version(self, name: str) -> Version | None:
        production = self.production(name)
        if production is None or not self._status(production).startswith(REJECTED):
            return production
        serving = [each for each in self.versions[name] if self._status(each) == SERVING]
        return serving[-1] if serving else None

    def version(self, name: str, number: int) -> Version:
        self._answer()
        found = self.versions.get(name, [])
        if not 1 <= number <= len(found):
            raise self._refuse(f"Model Version (name={name}, version={number}) not found")
        return found[number - 1]

    def fetch(self, source: str, folder: Path) -> None:
        """Copy the files of `models:/NAME/NUMBER`."""
        self._answer()
        name, _, number = source.removeprefix("models:/").partition("/")
        self.download(self.version(name, int(number)), folder)

    def list_files(self, version: Version, most: int) -> dict[str, int]:
        self._answer()
        root = self.files(version)
        paths = list(root.rglob("*"))
        if len(paths) > most:
            raise FilesRefused(f"{version} has more than {most} files.")
        return {str(p.relative_to(root)): p.stat().st_size for p in paths if p.is_file()}

    def download(self, version: Version, folder: Path, path: str = "") -> None:
        self._answer()
        source = self.files(version) / path
        if source.is_dir():
            shutil.copytree(source, folder / path, dirs_exist_ok=True)
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / path)

    def register(self, name: str, model: Path, model_id: str, run_id: str) -> Version:
        self._answer()
        made = self.versions.setdefault(name, [])
        version = Version(name, len(made) + 1, f"memory:/{model_id}", run_id)
        shutil.copytree(model, self.files(version))
        made.append(version)
        return version

    def promote(self, version: Version) -> None:
        self.version(version.name, version.number)
        for pointers in (self.aliases, self.stages, self.promoted):
            pointers[version.name] = version.number

    def tag(self, version: Version, key: str, value: str) -> None:
        self.version(version.name, version.number)
        self.tags.setdefault((version.name, version.number), {})[key] = value

    def set_alias(self, version: Version, alias: str) -> None:
        self.version(version.name, version.number)
        self.other_aliases[version.name, alias] = version.number

    def _status(self, version: Version) -> str:
        return self.tags.get((version.name, version.number), {}).get(STATUS_TAG, "")

    def files(self, version: Version) -> Path:
        """Return where this registry keeps the version's files, for tests to read or change."""
        return self.folder / version.name / str(version.number)


@dataclass
class MemoryRun:
    """One run."""

    name: str
    parent: str | None = None
    status: str = "RUNNING"
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)


class MemoryRuns(_Server):
    """The runs of one experiment, by id. Logs nothing more while `refuse_logging` is True."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse_logging = False
        self.runs: dict[str, MemoryRun] = {}

    def start(self, name: str, parent: str | None = None) -> str:
        self._answer()
        run_id = f"run{len(self.runs) + 1}"
        self.runs[run_id] = MemoryRun(name, parent)
        return run_id

    def log(
        self,
        run_id: str,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        run = self._run(run_id)
        if self.refuse_logging:
            raise self._refuse("it logs nothing")
        for key, value in (params or {}).items():
            if run.params.setdefault(key, value) != value:
                raise self._refuse(f"the parameter {key} was logged with another value")
        run.metrics |= metrics or {}
        run.tags |= tags or {}

    def log_source(self, run_id: str, source: Source) -> None:
        self._run(run_id).sources.append(source)

    def log_file(self, run_id: str, name: str, content: bytes) -> None:
        self._run(run_id).files[name] = content

    def start_model(self, run_id: str, name: str) -> str:
        models = self._run(run_id).models
        models.append(f"m-{run_id}-{name}-{len(models) + 1}")
        return models[-1]

    def finish(self, run_id: str, failed: bool = False) -> None:
        self._run(run_id).status = "FAILED" if failed else "FINISHED"

    def trials(self, parent: str) -> list[MemoryRun]:
        """Return the runs nested under one, in the order in which they were started."""
        return [run for run in self.runs.values() if run.parent == parent]

    def _run(self, run_id: str) -> MemoryRun:
        self._answer()
        if run_id not in self.runs:
            raise self._refuse(f"Run with id={run_id} not found")
        return self.runs[run_id]
