"""An ONNX model as a teacher, run on the CPU on one thread, so that its answers are reproducible."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdcli.errors import KdError, nearest
from kdcli.teachers.asked import Asked
from kdcli.teachers.onnx_inputs import Scaling, model_inputs
from kdcli.teachers.onnx_outputs import as_rows, probability_output
from kdcli.words import shortened

if TYPE_CHECKING:
    import numpy as np

BATCH = 4096
LONG = 300  # characters of a runtime's message that are shown
FATAL = 4  # log level of ONNX Runtime: errors are raised as exceptions, and need not be logged too


@dataclass(frozen=True)
class OnnxTeacher:
    """A model in an ONNX file; `scaling` says how pixels become floats: "unit" divides them by 255."""

    path: Path
    scaling: Scaling = "unit"

    @property
    def who(self) -> str:
        """The model within a sentence."""
        return self.path.name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file; raises `KdError` if it cannot be read."""
        return hashlib.sha256(self._content).hexdigest()

    def ask(self, asked: Asked) -> np.ndarray:
        """Return the model's answer.

        Raises `KdError` if the runtime cannot load the file, if the model needs other files, if its inputs
        cannot be made from the examples, or if none of its outputs gives probabilities.
        """
        import numpy as np

        n = len(asked.x)
        if not n:
            return np.empty((0, len(asked.classes)))
        session = self._session
        inputs = session.get_inputs()
        arrays = model_inputs(inputs, asked, self.scaling, self.who)
        output = probability_output(session.get_outputs(), len(asked.classes), self.who)
        fixed = next(
            (node.shape[0] for node in inputs if node.shape and isinstance(node.shape[0], int)), None
        )
        answers = []
        for start in range(0, n, fixed or BATCH):
            # A batch of fixed size is padded by repeating the last example.
            rows = np.arange(start, start + fixed if fixed else min(start + BATCH, n)).clip(max=n - 1)
            answer = self._run(output.name, {name: values[rows] for name, values in arrays.items()})
            if np.shape(answer)[:1] != (len(rows),):
                raise KdError(f"{self.who} does not return a row for each example", "check its outputs")
            answers.append(as_rows(answer, asked.classes, self.who))
        return np.concatenate(answers)[:n]

    def _run(self, output: str, batch: dict[str, np.ndarray]) -> Any:
        try:
            return self._session.run([output], batch)[0]
        except Exception as error:  # the runtime's exception classes are not public
            raise KdError(f"{self.who} fails: {_words_of(error)}", "check the model outside kd") from error

    @cached_property
    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            models = [str(self.path.parent / other.name) for other in self.path.parent.glob("*.onnx")]
            raise KdError(
                f"cannot read {self.path}: {error.strerror}{nearest(str(self.path), models)}",
                "name the file of an ONNX model",
            ) from None

    @cached_property
    def _session(self) -> Any:
        """The model in the runtime, from the very bytes that were checked."""
        try:
            import onnx  # noqa: F401 - needed by the check
            import onnxruntime
        except ImportError:
            raise KdError("ONNX models need onnx and onnxruntime", "pip install 'kdcli[onnx]'") from None
        _check(self._content, self.path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = FATAL
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            return onnxruntime.InferenceSession(
                self._content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # a fallback would print to stdout
            )
        except Exception as error:  # the runtime's exception classes are not public
            raise KdError(
                f"ONNX Runtime {onnxruntime.__version__} cannot load {self.path}: {_words_of(error)}",
                "convert the model again, for an opset that this runtime supports",
            ) from error


def _check(content: bytes, path: Path) -> None:
    """Raise `KdError` unless the file is an ONNX model that needs no other file.

    External data may name any file of the machine.
    """
    import onnx
    from google.protobuf.message import DecodeError

    damaged = KdError(f"{path} is truncated, or not an ONNX model", "export the model again")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise damaged from None
    if not model.HasField("graph") or not model.opset_import:
        raise damaged
    for part in _messages(model):
        if any(isinstance(text, bytes) for text in _texts(part)):
            raise damaged
        if isinstance(part, onnx.TensorProto) and (
            part.data_location == onnx.TensorProto.EXTERNAL or part.external_data
        ):
            raise KdError(
                f"{path} keeps '{part.name}' in another file, which kd does not open",
                "save the model as one file: onnx.save_model(model, path, save_as_external_data=False)",
            )


def _messages(message: Any) -> Iterator[Any]:
    """Yield every part of a model, including its functions and the graphs in its nodes."""
    from google.protobuf.message import Message

    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            parts: Sequence[Any] = [value] if isinstance(value, Message) else value
            for part in parts:
                yield from _messages(part)


def _texts(message: Any) -> Iterator[str | bytes]:
    """Yield the texts of one part of a model, as bytes where they are not UTF-8."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            yield from [value] if isinstance(value, (str, bytes)) else value


def _words_of(error: Exception) -> str:
    """Return a runtime's words on one line, without its codes and the places in its own source."""
    words = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    return shortened(re.sub(r"/\S+\.(?:h|cc):\d+ [^()]*\([^()]*\) ", "", words), LONG)
