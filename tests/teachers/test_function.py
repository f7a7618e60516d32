import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from teachers.asking import images, table

from kdcli.errors import KdError
from kdcli.teachers.function import FunctionTeacher

ROWS = [[0.5, 0.5], [0.25, 0.75], [0, 1], [1, 0]]


def ask(code: str, file: str = "score.py", place: str = "score.py", name: str = "predict") -> np.ndarray:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(code)
    return FunctionTeacher(place, name).ask(table())


def failure(code: str, name: str = "predict") -> KdError:
    with pytest.raises(KdError) as failed:
        ask(code, name=name)
    assert isinstance(failed.value.hint, str)
    return failed.value


LIKE_PANDAS = """
class Frame(dict):
    columns, to_numpy = ["index", "no", "yes"], None
    def __init__(self, rows):
        super().__init__(zip(self.columns, map(polars.Series, [range(4), *zip(*rows)])))
"""


@pytest.mark.parametrize(
    "answer",
    [
        f"{ROWS}",
        f"numpy.array({ROWS}, 'float32')",
        f"torch.tensor({ROWS}, requires_grad=True)",
        f"torch.tensor({ROWS}, dtype=torch.bfloat16)",
        f"polars.DataFrame({ROWS}, orient='row')",
        f"polars.DataFrame({ROWS}, orient='row', schema=['no', 'yes']).select('yes', 'no')",
        f"polars.DataFrame({ROWS}, orient='row', schema=['p_no', 'p_yes']).insert_column(0, frame['age'])",
        f"polars.DataFrame({ROWS}, orient='row', schema=['prob_no', '']).select('prob_no')",
        f"Frame({ROWS})",
        f"numpy.array({ROWS}, object)",
    ],
)
def test_answers_of_every_kind(answer: str) -> None:
    values = ask(f"import numpy, polars, torch\n{LIKE_PANDAS}\ndef predict(frame):\n    return {answer}\n")
    np.testing.assert_array_equal(values, ROWS)


def test_the_function_gets_raw_rows() -> None:
    values = ask("""
def predict(frame):
    assert frame["age"].to_list() == [0, 1, 2, None]
    assert frame["my colour"].to_list() == ["red", None, "blue, dark", 'a "b"']
    return frame["age"].fill_null(9)
""")
    assert values.tolist() == [0, 1, 2, 9]


def test_the_function_gets_images_that_it_may_change() -> None:
    Path("score.py").write_text("def predict(x):\n    x[:, 0, 0] += 1\n    return x[:, 0, 0]\n")
    asked = images()
    values = FunctionTeacher("score.py", "predict").ask(asked)
    assert values.tolist() == [1, 7, 13, 19, 25]
    assert asked.x[:, 0, 0].tolist() == [0, 6, 12, 18, 24]


def test_about_no_rows_no_function_is_called() -> None:
    asked = table()
    assert FunctionTeacher("nowhere.py", "predict").ask(replace(asked, x=asked.x[:0])).shape == (0, 2)


def test_a_frame_that_the_function_changes_is_its_own() -> None:
    Path("score.py").write_text("def predict(f):\n    f.drop_in_place('age')\n    return [1] * f.height\n")
    asked = table()
    FunctionTeacher("score.py", "predict").ask(asked)
    assert asked.frame is not None
    assert asked.frame.columns == ["age", "my colour"]


@pytest.mark.parametrize(
    ("file", "place", "name"),
    [
        ("mine/models/scorer.py", "mine.models.scorer", "predict"),
        ("mine/__init__.py", "mine", "predict"),
        ("mine/models/scorer.py", "mine/models/scorer.py", "predict"),
        ("random.py", "random.py", "predict"),
        ("statistics.py", "statistics.py", "predict"),
        ("scorer.py", "scorer", "Model.predict"),
    ],
)
def test_places_of_functions(file: str, place: str, name: str) -> None:
    code = "def predict(f):\n    return [1] * 4\nclass Model:\n    predict = staticmethod(predict)\n"
    assert ask(code, file, place, name).tolist() == [1] * 4


def test_a_file_imports_what_lies_beside_it_also_when_it_is_called() -> None:
    Path("deep").mkdir()
    Path("deep/beside.py").write_text("A = 1\n")
    Path("deep/later.py").write_text("B = 2\n")
    code = "import beside\ndef predict(f):\n    import later\n    return [beside.A, later.B, 0, 0]\n"
    assert ask(code, "deep/s.py", "deep/s.py").tolist() == [1, 2, 0, 0]


def test_a_file_may_define_dataclasses() -> None:
    code = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    code += "@dataclass\nclass A:\n    x: list[int]\ndef predict(f):\n    return A([1] * 4).x\n"
    assert ask(code).tolist() == [1] * 4


def test_nothing_is_imported_before_the_function_is_called() -> None:
    Path("score.py").write_text("open('ran', 'w')\n")
    assert FunctionTeacher("score.py", "predict").digest
    assert not Path("ran").exists()


def test_output_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    ask(
        "import os\nprint('imported')\ndef predict(f):\n    print('printed')\n    os.write(1, b'written')\n"
        "    os.system('echo echoed')\n    return [1] * 4\n"
    )
    print("after")
    out, err = capfd.readouterr()
    assert out.split() == ["before", "after"]
    assert {"imported", "printed", "written", "echoed"} <= set(err.replace("written", "written ").split())


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("scores.py", "there is no file scores.py in {here}; did you mean score.py?"),
        ("scores", "there is no module scores; did you mean score?"),
        ("mine.scores", "there is no module mine.scores; did you mean mine.scorer?"),
        ("mime.scorer.x", "there is no module mime.scorer.x"),
        ("score.sub", "there is no module score.sub; did you mean score?"),
        ("sys", "the module sys has no file"),
    ],
)
def test_a_module_that_is_not_there(place: str, said: str) -> None:
    Path("mine").mkdir()
    for name in ("mine/__init__.py", "mine/scorer.py", "score.py"):
        Path(name).write_text("def predict(f): ...\n")
    teacher = FunctionTeacher(place, "predict")
    with pytest.raises(KdError) as refused:
        teacher.ask(table())
    assert refused.value.message == said.format(here=Path.cwd())
    with pytest.raises(KdError) as refused:
        assert teacher.digest
    assert refused.value.message == said.format(here=Path.cwd())


def test_a_function_that_is_not_there() -> None:
    problem = failure("def predict_proba(f): ...\n", "predict")
    assert problem.message.endswith("score.py has no function 'predict'; did you mean predict_proba?")
    assert failure("predict = 3\n").message == "'predict' of score.py is not a function, but of type int"


def test_an_exception_is_told_with_its_line_and_traceback() -> None:
    code = "def inner():\n    raise ValueError('bad\\nshape')\ndef predict(f):\n    return inner()\n"
    problem = failure(code)
    told = "the function 'predict' of score.py raises ValueError: bad shape (score.py, line 2)"
    assert problem.message == told
    assert isinstance(problem.hint, str)
    assert "line 4, in predict" in problem.hint
    assert problem.hint.endswith("ValueError: bad\nshape")
    assert "kdcli" not in problem.hint


def test_the_line_is_of_the_users_file_when_a_library_raises() -> None:
    problem = failure("import json\ndef predict(f):\n    return json.loads('{')\n")
    assert "raises JSONDecodeError: " in problem.message
    assert problem.message.endswith("(score.py, line 3)")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def predict(f):\n    raise SystemExit(3)\n", "raises SystemExit: 3 (score.py, line 2)"),
        ("def predict(f):\n    assert False\n", "raises AssertionError (score.py, line 2)"),
        ("def predict(f):\n    raise StopIteration\n", "raises StopIteration (score.py, line 2)"),
        ("def predict(f):\n    return f.iloc[0]\n", "has no attribute 'iloc' (score.py, line 2)"),
        ("import nowhere_at_all\n", "raises ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("x = 1\ndef predict(f:\n", "raises SyntaxError: '(' was never closed (score.py, line 2)"),
        ("def predict(f, g): ...\n", "missing 1 required positional argument: 'g'"),
        ("def predict(f):\n    raise ValueError('x' * 1000)\n", "x …"),
        ("def predict(f):\n    return [1] * 3\n", "returns the shape (3,) when given 4 rows"),
        ("def predict(f):\n    return [[0, 1], [1]] * 2\n", "returns no numbers, but list"),
        ("def predict(f):\n    return {'no': 1}\n", "returns no numbers, but dict"),
        ("def predict(f): ...\n", "returns None"),
        ("def predict(f):\n    return 0.5\n", "returns one number when given 4 rows"),
        ("def predict(f):\n    raise KeyboardInterrupt\n", "raises KeyboardInterrupt (score.py, line 2)"),
        (
            "import kdcli\ndef predict(f):\n    kdcli.open_run('nowhere')\n",
            "no run 'nowhere' (score.py, line 3)",
        ),
    ],
)
def test_what_goes_wrong_in_the_users_code_is_told(code: str, said: str) -> None:
    problem = failure(code)
    assert said in problem.message
    assert len(problem.message) < 500


def test_a_package_that_fails_is_told() -> None:
    Path("broken").mkdir()
    Path("broken/__init__.py").write_text("\n1 / 0\n")
    Path("broken/scorer.py").write_text("")
    with pytest.raises(KdError, match=r"raises ZeroDivisionError: division by zero \(__init__.py, line 2\)"):
        FunctionTeacher("broken.scorer", "predict").ask(table())


def test_what_the_function_does_to_its_process_has_no_effect_on_this_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder, environment = Path.cwd(), dict(os.environ)
    values = ask("""
import os, sys, threading, time
def predict(f):
    print("said")
    os.chdir("/")
    os.environ.clear()
    sys.path.clear()
    sys.stdout.close()
    sys.stderr.close()
    os.closerange(0, 3)
    threading.Thread(target=time.sleep, args=(300,)).start()
    return [1] * 4
""")
    assert values.tolist() == [1] * 4
    assert (Path.cwd(), dict(os.environ)) == (folder, environment)
    assert capfd.readouterr() == ("", "said\n")


def test_the_current_folder_hides_no_module_of_kds_own() -> None:
    for name in ("json", "numpy", "kdcli"):
        Path(f"{name}.py").write_text("raise SystemExit('hidden')\n")
    assert ask("def predict(f):\n    return [1] * 4\n", "deep/s.py", "deep/s.py").tolist() == [1] * 4


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("os._exit(0)", "ended without an answer"),
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "ended by signal 9 (Killed)"),
        ("ctypes.string_at(0)", "ended by signal 11 (Segmentation fault)"),
    ],
)
def test_a_function_that_ends_its_process_is_told_with_its_last_words(end: str, said: str) -> None:
    problem = failure(f"import ctypes, os\ndef predict(f):\n    print('so far', flush=True)\n    {end}\n")
    assert problem.message == f"the function 'predict' of score.py: {said}"
    assert str(problem.hint).startswith("its output ends:\nso far")
    assert ("line 4 in predict" in str(problem.hint)) == (end.startswith("ctypes"))


def test_an_interrupt_ends_the_function() -> None:
    def interrupt() -> None:
        while not Path("pid").exists() or not Path("pid").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        ask(
            "import os, time\ndef predict(f):\n    open('pid', 'w').write(str(os.getpid()))\n"
            "    time.sleep(300)\n"
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)
