"""Whether `labels_from` changes the labels of training examples."""

from kdcli.runs.recipe import BY_TEACHER, Students
from kdcli.runs.transfer import Transfer
from kdcli.targets import TARGETS


def relabels(settings: Students) -> bool:
    """Whether `labels_from` makes a difference to the first target.

    The teacher's labels make one for targets made from labels, and where labels or classes have weights in
    the loss. The original labels make one for targets made from the teacher, but only if the transfer set has
    examples without labels: otherwise the target is the same as `labels`.
    """
    needs = TARGETS[settings.targets[0]].needs
    if settings.labels_from == BY_TEACHER:
        return needs == "labels" or settings.label_weight > 0 or settings.class_weight != "none"
    return needs == "teacher" and Transfer.parse(settings.transfer).asks
