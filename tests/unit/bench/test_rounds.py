"""Systems are asked in turn."""

from pathlib import Path

import pytest

from bench import rounds, wrk
from bench.plan import Pace
from bench.wrk import Load, Sample
from terna.errors import TernaError

LINE = '{"answers": 7, "failed": 1, "seconds": 2.0, "p50_ms": 1.5, "p99_ms": 3.0}'


def test_each_round_asks_everybody_before_anybody_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, int]] = []

    def answer(load: Load, seconds: int) -> Sample:
        asked.append((load.url, seconds))
        return Sample(len(asked), 0, seconds, 1, 1)

    monkeypatch.setattr(wrk, "run", answer)
    monkeypatch.setattr(wrk, "settle", lambda _: None)
    loads = {name: Load(name, tmp_path) for name in ("a", "b")}
    samples = rounds.interleaved(loads, Pace(rounds=2, seconds=4, warm_up=1), lambda: None)
    assert asked == [("a", 1), ("a", 4), ("b", 1), ("b", 4)] * 2
    assert [sample.answers for sample in samples["b"]] == [4, 8]


def test_sample_is_the_last_line_that_wrk_printed() -> None:
    sample = wrk.read(f"Running 2s test @ https://localhost\n  1 threads\n{LINE}\n")
    assert (sample.throughput, sample.failed, sample.p50_ms) == (3.5, 1, 1.5)


def test_where_wrk_fails_its_own_words_are_told() -> None:
    with pytest.raises(TernaError, match="unable to connect"):
        wrk.read("unable to connect to localhost:1 Connection refused\n")
