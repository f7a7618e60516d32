"""Whether a teacher has memorised its training rows, and so has little to teach about them."""

from typing import NamedTuple

from kdcli.runs.stored import TrainedTeacher
from kdcli.scored import entropy

FAR_BELOW = 0.75  # fraction of the entropy on validation examples
LITTLE = 0.05  # nats; below, the teacher is certain on validation examples too


class Memory(NamedTuple):
    """Mean entropy of a teacher's labels on training and on validation examples, in nats."""

    train: float
    val: float

    @property
    def tells(self) -> bool:
        """Whether the teacher has memorised its training rows: it is much more certain on them."""
        return self.val > LITTLE and self.train < FAR_BELOW * self.val


def memory_of(teacher: TrainedTeacher) -> Memory:
    """Return the entropy of a teacher's labels over all draws."""
    logits = (teacher.logits[split].double().log_softmax(-1) for split in Memory._fields)
    return Memory(*(float(entropy(log_p).mean()) for log_p in logits))
