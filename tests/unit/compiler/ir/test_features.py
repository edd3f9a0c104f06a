"""Features remember what a pipeline does to their column."""

from terna.compiler.ir.features import Encoded, Numeric


def test_step_is_added_behind_those_before() -> None:
    feature = Numeric(3).with_step("subtract", 2).with_step("divide", 4)
    assert feature == Numeric(3, (("subtract", 2.0), ("divide", 4.0)))


def test_numeric_feature_is_imputed_once_a_step_fills_it() -> None:
    assert not Numeric(0).with_step("add", 1).imputed
    assert Numeric(0).with_step("add", 1).with_step("fill", 7).imputed


def test_mapping_changes_every_code_and_keeps_what_the_encoder_fails_on() -> None:
    encoded = Encoded(1, {"a": 1.0, "b": 2.0}, unknown=0.0, missing=None, all_missing=4.0)
    assert encoded.map(lambda code: -code) == Encoded(1, {"a": -1.0, "b": -2.0}, 0.0, None, -4.0)
