import pytest
from measured import SEVERAL_DRAWS, students

from kdcli.commands import text
from kdcli.errors import Command
from kdcli.evidence.cautions import (
    BeyondTeacher,
    Calibration,
    Caution,
    Coarse,
    Edited,
    NearlyHard,
    OneDraw,
    SameScores,
    SeedsLeftOut,
    SingleSeed,
    WeakTeacher,
)
from kdcli.evidence.trainings import NearChance, Overfitted, SameLabels, StillFalling
from kdcli.report.cautions import caution_text

SOFT = students("soft", 0.8)


@pytest.mark.parametrize(
    ("caution", "words"),
    [
        (Edited("teacher: made with seed = 1"), "teacher: made with seed = 1."),
        (
            SeedsLeftOut(SOFT, {"diverged": [1, 2]}),
            "mlp:4: soft at T = 4: seeds 1, 2 left out: training diverged (non-finite loss).",
        ),
        (
            SingleSeed([SOFT], Command("distill", options={"seeds": 10})),
            "No verdict for soft at T = 4: one seed cannot show how much training varies; "
            "`kd distill --seeds 10` trains ten.",
        ),
        (
            Coarse(0.0123, "seeds", 400),
            "The least certain comparison has 80 % power to detect 1.23 points of accuracy; more seeds would "
            "help most.",
        ),
        (Coarse(0.0123, "examples", 400), "; more test examples than 400 would help most."),
        (
            Coarse(0.0123, "examples", 400, overlapping=True),
            "; more test examples than 400 would help most.",
        ),
        (NearlyHard(0.5, 0.99712), "At T = 0.5 the teacher's soft labels are nearly hard"),
        (NearlyHard(0.5, 0.99712), "probability 0.9971 on average"),
        (SameScores(SOFT, SOFT), "the temperature makes no difference here."),
        (
            BeyondTeacher(SOFT, 0.012, (0.01, 0.014)),
            "soft at T = 4 is better than its teacher by 1.20 points of accuracy [1.00, 1.40].",
        ),
        (
            OneDraw(SEVERAL_DRAWS),
            "These verdicts hold for one draw of the data; another, with its own teacher, may differ. "
            "`kd run tiny.toml --draws 10` repeats the recipe on ten draws.",
        ),
        (Coarse(0.0123, "draws", 400), "; more draws would help most."),
        (Coarse(0.0123, "draws", 400, overlapping=True), "; more examples to split would help most."),
        (
            Calibration(SOFT, "worse", "no difference shown"),
            "mlp:4: in NLL, soft at T = 4 is worse than its control; after temperature scaling, it shows no "
            "difference from its control, so calibration may explain it.",
        ),
        (
            Calibration(SOFT, "worse", "better"),
            "in NLL, soft at T = 4 is worse than its control; after temperature scaling, it beats its "
            "control.",
        ),
        (
            WeakTeacher(SOFT, 0.05, (0.04, 0.06)),
            "the control, is better than the teacher by 5.00 points of accuracy [4.00, 6.00]",
        ),
        (
            StillFalling([SOFT] * 5, Command("distill", options={"epochs": 40})),
            "and 2 other sets still falls at the last epoch, so a comparison may be one of training speed. "
            "`kd distill --epochs 40` trains twice as long.",
        ),
        (
            Overfitted(SOFT, 0.3, Command("distill", options={"select": "best"})),
            "ends 30 % above its lowest. A control that has overfitted is easy to beat: `kd distill --select "
            "best` keeps the best epoch.",
        ),
        (NearChance([SOFT]), "Hardly better than chance: soft, T = 4 (mlp:4)."),
        (
            SameLabels(1234),
            "classifies all 1,234 training examples correctly, so hard labels equal the true labels here",
        ),
    ],
)
def test_cautions_in_words(caution: Caution, words: str) -> None:
    assert words in text(caution_text(caution))
