"""kd: knowledge distillation in the terminal, with the evidence for whether it helped."""

__version__ = "0.1.0"
