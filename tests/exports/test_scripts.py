import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from exporting import COLUMNS, NASTY, image_stacks, leaving, leaving_images, stacks

from kdcli.exports import FORMATS, Exported
from kdcli.stages.export import golden_vectors

ROW = {
    "age": 31.5,
    "plan": "plus",
    "active": "yes",
    "town": "Bonn",
    "since": "3.2.2021",
    "seen": "2021-02-03T04:05:06",
}
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium") or shutil.which("google-chrome")


def loaded(student: Exported) -> ModuleType:
    """A student as a module of Python."""
    Path("student.py").write_bytes(FORMATS["python"].write(student))
    spec = spec_from_file_location("student", "student.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def student() -> Exported:
    return leaving(stacks()["mlp"])


def answers(row: dict[str, Any], student: Exported, language: str) -> list[float] | str:
    """The features of a row, or the error."""
    if language == "python":
        try:
            features: list[float] = loaded(student).encode(row)
        except ValueError as error:
            return str(error)
        return features
    Path("student.mjs").write_bytes(FORMATS["javascript"].write(student))
    code = (
        "import { encode } from './student.mjs'; let found;"
        f"try {{ found = Array.from(encode({json.dumps(row)})); }} catch (error) {{"
        " if (!(error instanceof RangeError)) throw error; found = error.message; }"
        "console.log(JSON.stringify(found));"
    )
    Path("ask.mjs").write_text(code)
    assert NODE
    told: list[float] | str = json.loads(
        subprocess.run([NODE, "ask.mjs"], capture_output=True, check=True).stdout
    )
    return told


needs_node = pytest.mark.skipif(not NODE, reason="needs Node.js")
languages = pytest.mark.parametrize("language", ["python", pytest.param("javascript", marks=needs_node)])


@languages
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [31.5, 0, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"age": None}, [40, 1, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"age": " ? "}, [40, 1, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"age": " 31.5 "}, [31.5, 0, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"plan": "gold"}, [31.5, 0, 0, 0, 1, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"plan": ""}, [31.5, 0, 0, 0, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"active": "No"}, [31.5, 0, 0, 1, 0, 0, 1, 0, 0, 18661, 2, 3, 0]),
        ({"active": "1.0"}, [31.5, 0, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"active": "0"}, [31.5, 0, 0, 1, 0, 0, 1, 0, 0, 18661, 2, 3, 0]),
        ({"active": True}, [31.5, 0, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"age": -999}, [40, 1, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"age": "-999"}, [40, 1, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
        ({"town": "absent"}, [31.5, 0, 0, 1, 0, 1, 0, 0, 1, 18661, 2, 3, 0]),
        ({"since": None}, [31.5, 0, 0, 1, 0, 1, 1, 0, 0, 19000, 1, 6, 1]),
        ({"since": "2021-02-03"}, [31.5, 0, 0, 1, 0, 1, 1, 0, 0, 18661, 2, 3, 0]),
    ],
)
def test_values_become_features(
    changed: dict[str, Any], expected: list[float], language: str, student: Exported
) -> None:
    found = answers(ROW | changed, student, language)
    assert found[:13] == expected
    assert found[13:] == [pytest.approx(18661 + 14706 / 86400, abs=1e-3), 2, 3]


@languages
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"age": "old"}, "which is not a number"),
        ({"age": 1e39}, "which is not a finite 32-bit number"),
        ({"since": "2021-02-30"}, "which is not a date"),
        ({"since": "yesterday"}, "which is not a date"),
        ({"since": 5}, "which is not a date"),
        ({"age": "1_0"}, "which is not a number"),
        ({"age": "0x10"}, "which is not a number"),
        ({"age": "٣"}, "which is not a number"),
        ({"age": [5]}, "which is not a number"),
        ({"seen": "2021-02-03T25:00:00"}, "which is not a date"),
        ({"active": "perhaps"}, "which is neither yes nor no"),
    ],
)
def test_values_that_a_column_cannot_have(
    changed: dict[str, Any], said: str, language: str, student: Exported
) -> None:
    found = answers(ROW | changed, student, language)
    assert isinstance(found, str)
    assert found.startswith(f"column {next(iter(changed))!r} has " if language == "python" else "column ")
    assert said in found


@languages
def test_a_column_that_is_not_there(language: str, student: Exported) -> None:
    row = {name: value for name, value in ROW.items() if name != "plan"}
    assert "the row has no column" in answers(row, student, language)


def test_features_of_another_number(student: Exported) -> None:
    with pytest.raises(ValueError, match="there are 2 features, but 16 are needed"):
        loaded(student).probabilities([1, 2])


def test_days_of_python_itself(student: Exported) -> None:
    module = loaded(student)
    by_text = module.encode(ROW)
    values = {"since": date(2021, 2, 3), "seen": datetime(2021, 2, 3, 4, 5, 6)}
    assert module.encode(ROW | values) == by_text
    elsewhere = datetime(2021, 2, 3, 9, 35, 6, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert module.encode(ROW | {"seen": elsewhere}) == by_text


@pytest.fixture
def golden(student: Exported) -> Path:
    path = Path("student.golden.json")
    path.write_bytes(golden_vectors(student))
    return path


def test_golden_vectors_are_checked_by_the_file_itself(student: Exported, golden: Path) -> None:
    loaded(student)
    done = subprocess.run([sys.executable, "student.py", str(golden)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0 of 8 golden vectors do not match\n")
    vectors = json.loads(golden.read_text())
    vectors["rows"][3]["probabilities"][0] += 2e-5
    golden.write_text(json.dumps(vectors))
    done = subprocess.run([sys.executable, "student.py", str(golden)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "1 of 8 golden vectors do not match\n")


def test_rows_of_a_file(student: Exported) -> None:
    module = loaded(student)
    Path("rows.csv").write_text(
        ",".join(ROW) + "\n" + ",".join(map(str, ROW.values())) + "\n", encoding="utf-8-sig"
    )
    done = subprocess.run(
        [sys.executable, "student.py", "rows.csv"], capture_output=True, text=True, check=True
    )
    header, line = done.stdout.splitlines()
    assert header == "prediction,p_class 0,p_class 1"
    assert line.split(",")[0] == module.predict(ROW)
    assert list(map(float, line.split(",")[1:])) == module.predict_proba(ROW)


@pytest.mark.parametrize("pixels", [["a"] * 48, [float("nan")] * 48, "0" * 48])
def test_pixels_are_numbers(pixels: Any) -> None:
    images, _ = leaving_images(image_stacks()["mlp"], is_bytes=True)
    with pytest.raises(ValueError, match="pixel"):
        loaded(images).predict(pixels)


def test_pixels_may_be_an_array() -> None:
    images, rows = leaving_images(image_stacks()["mlp"], is_bytes=True)
    array = rows.x[0].reshape(8, 6).astype("uint8")
    assert loaded(images).predict_proba(array) == loaded(images).predict_proba(rows.x[0].tolist())


def test_pixels_may_be_nested(student: Exported) -> None:
    images, rows = leaving_images(image_stacks()["cnn"], is_bytes=True)
    module = loaded(images)
    image = rows.x[0].reshape(8, 6).tolist()
    assert module.predict_proba(image) == module.predict_proba(rows.x[0].tolist())


PAGE = """<!doctype html><meta charset="utf-8"><title>running</title><script type="module">
import { check, CLASSES } from './student.mjs';
const golden = await (await fetch('golden.json')).json();
document.body.textContent = `${check(golden)} of ${golden.rows.length} differ, ${CLASSES.length} classes`;
document.title = 'done';
</script>"""


@pytest.fixture
def address() -> Iterator[str]:
    """A server of this folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(Path.cwd())))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
@pytest.mark.parametrize("family", ["mlp", "gbdt"])
def test_a_browser_gets_the_golden_vectors(family: str, address: str) -> None:
    student = leaving(stacks(len(NASTY))[family], COLUMNS, NASTY)
    Path("student.mjs").write_bytes(FORMATS["javascript"].write(student))
    Path("golden.json").write_bytes(golden_vectors(student))
    Path("index.html").write_text(PAGE)
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    )
    quiet = (
        "--disable-quic",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={Path.cwd()}/profile",
    )
    assert CHROMIUM
    command = [CHROMIUM, *flags, *quiet, "--virtual-time-budget=10000", "--dump-dom", f"{address}/index.html"]
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "0 of 8 differ, 14 classes" in page
