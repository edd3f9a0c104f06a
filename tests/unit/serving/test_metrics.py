"""Metrics are the sum of all processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client import Histogram

from terna.serving import metrics

COUNT = """
from terna.serving import metrics
counters = metrics.RequestCounters()
counters.in_flight = 1
for _ in range({requests}):
    counters.count("/invocations", 200, 0.002, rows=3)
    counters.flush()
counters.flush()
first = metrics.Info(metrics.MODEL)
first.set("churn", "1", "pyfunc")
first.set("churn", "2", "compiled")
print(metrics.render().decode(), flush=True)
"""


def page_of(requests: int, folder: Path) -> str:
    """What a process that answered some requests tells before it ends."""
    environment = os.environ | {metrics.MULTIPROCESS_DIR: str(folder)}
    command = [sys.executable, "-c", COUNT.format(requests=requests)]
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout.decode()


def value(page: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_counts_of_all_processes_are_added_up(tmp_path: Path) -> None:
    page_of(2, tmp_path)
    page = page_of(3, tmp_path)

    assert value(page, 'terna_requests_total{route="/invocations",status="200"}') == 5
    assert value(page, 'terna_request_seconds_count{route="/invocations"}') == 5
    assert value(page, "terna_request_rows_sum") == 15


def test_flushed_histogram_equals_one_observed_value_by_value() -> None:
    bounds = (0.5, 1.0, 5.0)
    at_once = Histogram("at_once", "", buckets=bounds, registry=None)
    one_by_one = Histogram("one_by_one", "", buckets=bounds, registry=None)
    values = metrics.HistogramBuffer(bounds)
    for value in (0.1, 0.5, 0.7, 1.0, 7.0, 7.5):
        values.add(value)
        one_by_one.observe(value)

    values.flush(at_once)

    def samples_of(histogram: Histogram) -> list[tuple[str, dict[str, str], float]]:
        (family,) = histogram.collect()
        samples = [s for s in family.samples if not s.name.endswith("_created")]
        return [(s.name.removeprefix(family.name), s.labels, s.value) for s in samples]

    assert samples_of(at_once) == samples_of(one_by_one)


def test_requests_in_flight_of_an_ended_process_are_removed(tmp_path: Path) -> None:
    page_of(1, tmp_path)
    assert value(page_of(1, tmp_path), "terna_requests_in_flight") == 1


def test_info_gauge_is_1_for_one_version_only(tmp_path: Path) -> None:
    page = page_of(1, tmp_path)

    assert value(page, 'terna_model_info{backend="compiled",name="churn",version="2"}') == 1
    assert value(page, 'terna_model_info{backend="pyfunc",name="churn",version="1"}') == 0


SERVER = """
import sys
from pathlib import Path
from terna.serving import metrics
metrics.reset(Path(sys.argv[1]))
metrics.RESTARTS.labels("agent").inc()
"""


def run_server(folder: Path) -> None:
    """Run what begins to count in a folder, and restarts its agent once."""
    subprocess.run([sys.executable, "-c", SERVER, str(folder)], check=True)


def test_server_removes_earlier_counts(tmp_path: Path) -> None:
    page_of(2, tmp_path)

    run_server(tmp_path)

    assert value(page_of(1, tmp_path), "terna_request_rows_sum") == 3


def test_restarts_that_the_server_counts_are_in_a_workers_page(tmp_path: Path) -> None:
    run_server(tmp_path)
    page = page_of(1, tmp_path)

    assert value(page, 'terna_restarts_total{process="agent"}') == 1
    assert 'terna_restarts_total{process="worker"} 0.0' in page
