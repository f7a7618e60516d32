import math
from pathlib import Path

from kdcli.report import words


def test_numbers_by_their_units() -> None:
    assert words.number(-0.0123, "%") == "−1.23"
    assert words.number(-0.00001, "%") == "0.00"
    assert words.number(0.5, "nats") == "0.5000"
    assert words.number(1.26e34, "nats") == "1.3e+34"
    assert words.number(12_345_678, "count") == "12,345,678"
    assert (words.number(math.inf), words.number(-math.inf, "%")) == ("∞", "−∞")


def test_quantities_with_unit_and_interval() -> None:
    assert words.quantity(0.945, "%", (0.9408, 0.9492)) == "94.50 ± 0.42 %"
    assert words.quantity(0.205, "ms") == "0.205 ms"
    assert words.quantity(3100, "bytes") == "3.1 kB"
    assert words.quantity(math.inf, "nats", (math.inf, math.inf)) == "∞"


def test_differences_have_a_sign_unless_they_are_nothing() -> None:
    assert words.signed(0.0315, "%", (0.0278, 0.0352)) == "+3.15 ± 0.37"
    assert words.signed(-0.5, "nats") == "−0.5000"
    assert words.quantity(1.0, "%", (0.9638, 1.0)) == "100.00 [96.38, 100.00] %"
    assert words.signed(0.0, "%", (-0.036, 0.01)) == "0.00 [−3.60, 1.00]"
    assert words.signed(0.000001, "%") == "0.00"
    assert words.signed(-math.inf, "nats") == "−∞"


def test_amounts_of_metrics() -> None:
    assert words.amount("accuracy", 0.0293) == "2.93 points of accuracy"
    assert words.amount("nll", 0.5) == "0.5000 nats of NLL"
    assert words.amount("brier", 0.5) == "0.5000 in Brier score"
    assert words.amount("errors", 12.04) == "12.0 errors"


def test_paths_from_here(tmp_path: Path) -> None:
    assert words.place(tmp_path / "outputs/a") == "outputs/a"
    assert words.wrote(tmp_path / "outputs/a") == "wrote outputs/a"
    assert words.wrote(tmp_path / "outputs/a", up_to_date=True) == "outputs/a is up to date"
    assert words.place(tmp_path.parent) == str(tmp_path.parent)
    assert words.minute("never, or so it seems") == "never, or so it "


def test_a_difference_that_is_written_as_0_is_not_visible() -> None:
    for metric, value in (("nll", 4e-5), ("accuracy", 4e-5)):
        assert not words.visible(metric, value)
        assert words.visible(metric, 2 * value)
    assert words.visible("nll", 1e7)
    assert words.visible("nll", math.inf)
