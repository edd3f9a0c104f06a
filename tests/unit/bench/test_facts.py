"""The figures that serving is judged by."""

from dataclasses import replace
from typing import Any

from bench import facts
from bench.run import Findings


def test_figures_are_written_between_the_markers(
    findings: Findings, machine: dict[str, Any]
) -> None:
    told = facts.of(findings, machine)
    assert set(told["ratios"]) >= {
        "throughput_c16_vs_mlflow",
        "throughput_c16_pyfunc_vs_mlflow",
        "throughput_c16_vs_bentoml_onnx",
        "throughput_c16_vs_echo",
        "p50_c1_vs_mlflow",
    }
    assert (told["server_ms_1000_rows"], told["worker_rss_mb"], told["ready_s"]) == (6.2, 120, 1.5)
    assert (told["worker_rss_after_pyfunc_mb"], told["first_pyfunc_s"]) == (121, 0.1)


def test_ratio_is_the_median_of_the_rounds_ratios(
    findings: Findings, machine: dict[str, Any]
) -> None:
    told = facts.of(findings, machine)
    # 8000/40, 9000/45 and, in a round in which the machine was busy elsewhere, 4000/10
    assert told["ratios"]["throughput_c16_vs_mlflow"] == 200
    assert told["spread"]["ratios.throughput_c16_vs_mlflow"] == [200, 400]
    assert told["ratios"]["p50_c1_vs_mlflow"] == 1 / 40


def test_ratio_of_the_most_rows_spans_what_the_rounds_allow(
    findings: Findings, machine: dict[str, Any]
) -> None:
    told = facts.of(findings, machine)
    assert told["ratios"]["throughput_most_rows_vs_mlflow"] == 9
    assert told["spread"]["ratios.throughput_most_rows_vs_mlflow"] == [800 / 125, 1000 / 80]


def test_second_worker_is_measured_where_there_are_cores_for_it(
    findings: Findings, machine: dict[str, Any]
) -> None:
    told = facts.of(findings, machine)
    assert told["ratios"]["throughput_c16_second_worker_adds"] == 0.8
    assert told["unknown"] == {}


def test_without_the_cores_the_second_worker_is_null_and_the_reason_is_told(
    findings: Findings, machine: dict[str, Any]
) -> None:
    told = facts.of(findings, machine | {"cores": 2})
    assert told["ratios"]["throughput_c16_second_worker_adds"] is None
    assert "here are 2" in told["unknown"]["ratios.throughput_c16_second_worker_adds"]


def test_model_that_serving_did_not_load_is_reported(
    findings: Findings, machine: dict[str, Any]
) -> None:
    narrow = {**findings.growth, "columns": findings.growth["columns"][:1]}
    told = facts.of(replace(findings, growth=narrow), machine)
    assert told["unknown"] == {"growth.columns.100": "not loaded in time"}


def test_only_serving_has_memory_in_what_grows(findings: Findings, machine: dict[str, Any]) -> None:
    told = facts.of(findings, machine)
    with_memory = {point["system"] for point in told["growth"]["rows"] if "memory" in point}
    assert with_memory == {"terna"}
