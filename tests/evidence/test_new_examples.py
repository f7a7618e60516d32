import pytest
from measured import evidence, students

from kdcli.evidence.new_examples import new_examples
from kdcli.report.evidence import new_examples_table


def test_new_rows_are_compared_with_as_many_copies_and_other_rows_with_none() -> None:
    sets = [
        students(target, mean, transfer=transfer)
        for target in ("labels", "soft")
        for transfer, mean in {
            "train:40": 0.7,
            "train:40+duplicate:5": 0.75,
            "train:40+munge:5": 0.8,
            "train:40+munge:4": 0.8,
            "train:40+rest": 0.9,
            "train+munge:5": 0.8,
        }.items()
    ]
    found = {new.students.name: new for new in new_examples(evidence(*sets))}
    assert {name: new.without.name for name, new in found.items()} == {
        f"{target}-n40-{new}-mlp4": f"{target}-n40{without}-mlp4"
        for target in ("labels", "soft-T4")
        for new, without in {"munge5": "-duplicate5", "munge4": "", "rest": ""}.items()
    }
    munged, rest = (found[f"soft-T4-n40-{part}-mlp4"].versus["accuracy"] for part in ("munge5", "rest"))
    assert (munged.paired, rest.paired) == (True, False)
    assert munged.difference == pytest.approx(0.05, abs=1e-3)
    assert munged.verdict == rest.verdict == "better"
    assert len({versus.adjusted for new in found.values() for versus in new.versus.values()}) > 1


def test_the_table_names_what_each_set_is_compared_with() -> None:
    sets = [
        students("soft", mean, transfer=transfer)
        for transfer, mean in {"train": 0.7, "train+duplicate:2": 0.75, "train+munge:2": 0.8}.items()
    ]
    table = new_examples_table(new_examples(evidence(*sets, control="soft-T4")))
    (section,) = table.sections
    assert section.title == "mlp:4, all + munge:2"
    (row,) = section.rows
    assert row.title.text == "soft, T = 4 vs duplicate:2"
    assert row.cells[0].text.startswith("+5.00 ± ")
    assert row.cells[0].text.endswith("better")


def test_without_new_examples_there_is_nothing_to_tell() -> None:
    assert new_examples(evidence(students("labels", 0.8), students("soft", 0.9))) == []
