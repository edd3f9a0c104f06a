"""A note: a version and its verdict are read as they were written, by this server alone."""

from pathlib import Path

from terna.contracts.version import Version
from terna.serving.cache.seal import Seal
from terna.serving.cache.verdict import Note, Verdict

VERSION = Version("churn", 3, "memory:/m-3", "run3")
VERDICT = Verdict("key", "compiled: trees", "", {"compiled": 0.001, "pyfunc": 0.02})


def test_note_is_read_as_it_was_written_until_it_is_removed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a secret")
    note = Note(tmp_path / "current.json", Seal(tmp_path / "key"))
    assert note.read() is None

    note.write(VERSION, VERDICT)
    assert note.read() == (VERSION, VERDICT)

    note.remove()
    assert note.read() is None


def test_note_of_one_kind_or_model_is_no_good_as_another(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a secret")
    seal, rejected = Seal(tmp_path / "key"), tmp_path / "churn" / "rejected.json"
    Note(rejected, seal).write(VERSION, VERDICT)
    (tmp_path / "fraud").mkdir()

    for moved in (tmp_path / "churn" / "current.json", tmp_path / "fraud" / "rejected.json"):
        moved.write_bytes(rejected.read_bytes())
        assert Note(moved, seal).read() is None
