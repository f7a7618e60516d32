"""Whose labels training examples have, where that is not left to the target."""

from kdcli.runs.recipe import BY_TEACHER, Students
from kdcli.runs.transfer import Transfer
from kdcli.targets import TARGETS


def relabels(settings: Students) -> bool:
    """Whether it makes a difference to the first target whose labels training examples have.

    The teacher's are new to targets that are made of labels, and where labels have a weight in the loss, or
    classes. The original ones are new to targets that are made of the teacher; they teach something else than
    `labels` only beside examples that have none.
    """
    needs = TARGETS[settings.targets[0]].needs
    if settings.labels_from == BY_TEACHER:
        return needs == "labels" or settings.label_weight > 0 or settings.class_weight != "none"
    return needs == "teacher" and Transfer.parse(settings.transfer).asks
