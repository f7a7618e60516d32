import json
import re
from pathlib import Path

from harness import BAD_TEACHER, Kd, compared, compared_run


def test_warning_of_soft_labels_that_are_hard(kd: Kd, tiny: Path) -> None:
    assert not any("nearly hard" in warning for warning in compared(kd)["warnings"])
    kd("distill", "--target", "soft", "--temperature", "0.05")
    (warning,) = (text for text in compared(kd)["warnings"] if "nearly hard" in text)
    assert warning.startswith("At T = 0.05 the teacher's soft labels are nearly hard")


def test_warning_of_a_temperature_that_does_nothing(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "soft", "--temperature", "500,1000")  # both match logits, as all large ones do
    (text,) = (text for text in compared(kd)["warnings"] if "does nothing" in text)
    assert text.startswith("mlp:4: soft at T = 500 and soft at T = 1000 score alike, seed by seed")


def test_warning_of_students_that_are_better_than_their_teacher(kd: Kd) -> None:
    made = compared_run(kd, BAD_TEACHER.replace("seeds = 5", "seeds = 5\nlabel_weight = 0.9"))
    (warning,) = (text for text in made["warnings"] if "better than its teacher" in text)
    assert warning.startswith("mlp:4: soft at T = 4 with w = 0.9 is better than its teacher by ")
    gap = made["students"][1]["metrics"]["accuracy"]["mean"] - made["teacher"]["metrics"]["accuracy"]
    assert f"{100 * gap:.2f} points of accuracy" in warning


def test_one_seed_is_answered_with_a_command_that_works(kd: Kd, tiny: Path) -> None:
    kd("distill", "--target", "labels,hard", "--model", "tree", "--seeds", "1")
    (warning,) = (text for text in compared(kd)["warnings"] if text.startswith("No verdict"))
    command = re.search(r"`kd (.*)`", warning)
    assert command
    assert command[1] == "distill --target labels,hard --model tree --seeds 10"
    assert kd(*command[1].split()).code == 0
    assert not any(text.startswith("No verdict") for text in compared(kd)["warnings"])


def test_verdicts_on_the_calibration_error_come_with_a_caveat(kd: Kd, tiny: Path) -> None:
    made = json.loads(kd("compare", "--metric", "ece", "--json").out)
    assert any("calibration error is biased" in text for text in made["warnings"])
