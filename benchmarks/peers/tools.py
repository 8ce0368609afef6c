"""The three tools: what each is asked, and what its words mean.

Each question is a process of its own, as its documentation tells to ask, with its defaults.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SURE, UNSURE, NOTHING, NOT_COMPARED = "related", "unsure", "nothing", "not compared"
OFFLINE = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Said:
    """A tool's own words, and which of the four they amount to."""

    words: str
    means: str
    score: float | None = None
    weights: str | None = None  # what its score of the weights alone amounts to


@dataclass(frozen=True)
class Tool:
    """One of the three."""

    name: str
    command: Callable[[Path, Path], list[str]]  # of suspect and source
    read: Callable[[str], Said]  # its output

    def ask(self, suspect: Path, source: Path) -> dict[str, object]:
        """What it says, with seconds of the processor, seconds, and MiB."""
        done = ran(self.command(suspect, source))
        cost = {"cpu_s": done.cpu_s, "wall_s": done.wall_s, "mib": done.mib}
        return self.said(done.output, done.errors) | cost

    def said(self, output: str, errors: str) -> dict[str, object]:
        """Its answer, or its error."""
        if output.lstrip().startswith("{"):
            return {"tool": self.name, **vars(self.read(output))}
        return {"tool": self.name, **vars(Said(last_line(errors), NOT_COMPARED))}


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    output: str
    errors: str
    cpu_s: float
    wall_s: float
    mib: float


def ran(command: list[str]) -> Done:
    """A process of one thread; what it cost."""
    measured = subprocess.run(
        [sys.executable, "-I", "-S", str(HERE / "cost.py"), *command],
        stdout=subprocess.PIPE,
        env={**os.environ, **OFFLINE},
        check=True,
    )
    return Done(**json.loads(measured.stdout))


def last_line(text: str) -> str:
    """The error, of all that a tool wrote: without terminal codes and empty lines."""
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    named = [line for line in lines if "rror" in line]
    return re.sub(r"'/[^']*'", "…", (named or lines or ["no output"])[-1])[:200]


def provenance_kit(python: Path) -> Tool:
    """Cisco's: a verdict from metadata where configurations agree, from weights where not."""
    program = str(python.with_name("provenancekit"))
    return Tool(
        "provenance-kit",
        lambda suspect, source: [
            program, "compare", str(suspect), str(source), "--json", "--no-cache",
        ],
        read_provenance_kit,
    )  # fmt: skip


def ask_many(tool: Tool, python: Path, pairs: list[tuple[Path, Path]]) -> list[dict[str, object]]:
    """What provenance-kit says of many pairs, without their cost: one process loads PyTorch."""
    asked = "".join(json.dumps([str(path) for path in pair]) + "\n" for pair in pairs)
    done = subprocess.run(
        [str(python), str(HERE / "warm.py")],
        input=asked,
        stdout=subprocess.PIPE,
        env={**os.environ, **OFFLINE},
        text=True,
        check=True,
    )
    return [tool.said(*json.loads(line)) for line in done.stdout.splitlines()]


def read_provenance_kit(output: str) -> Said:
    """Its decision, and the label that its score of the weights alone would have."""
    scores = json.loads(output)["scores"]
    decision, identity = scores["provenance_decision"], scores["identity_score"]
    means = {"Weak Match": UNSURE, "Not Matched": NOTHING}.get(decision, SURE)
    if "metadata only" in decision or decision == "Insufficient data":
        means = NOT_COMPARED
    weights = label(identity)
    words = f"{decision} (tier {scores['mfi_tier']})"
    return Said(words, means, identity, weights)


def label(identity: float | None) -> str:
    """Its own bounds for a score."""
    if identity is None:
        return NOT_COMPARED
    return SURE if identity > 0.75 else UNSURE if identity > 0.65 else NOTHING


def modeldna(python: Path) -> Tool:
    """Signals of sampled weights, with a probability."""
    program = str(python.with_name("modeldna"))
    return Tool(
        "modeldna",
        lambda suspect, source: [program, "compare", str(suspect), str(source), "--json"],
        read_modeldna,
    )


def read_modeldna(output: str) -> Said:
    """Its class of verdict; why a candidate was ruled out before its weights were compared."""
    verdict = json.loads(output)["verdict"]
    words, why = verdict["verdict"], None
    if verdict["candidates"]:
        why = verdict["candidates"][0]["ruled_out"]
    means = {"SAME_FAMILY_UNRESOLVED": UNSURE, "NO_MATCH": NOTHING}.get(words, SURE)
    if why is not None or words == "INSUFFICIENT":
        means = NOT_COMPARED
    return Said(f"{words} ({why})" if why else words, means, verdict["probability"])


def assay() -> Tool:
    """This package, of the Python that runs this."""
    return Tool(
        "assay",
        lambda suspect, source: [
            sys.executable, "-m", "assay", "compare", str(file_of(suspect)), str(source), "--json",
        ],
        read_assay,
    )  # fmt: skip


def file_of(folder: Path) -> Path:
    """A folder's GGUF file, or the folder: a configuration may lie beside the file."""
    return next(folder.glob("*.gguf"), folder)


def read_assay(output: str) -> Said:
    """Its relation; common-ancestor or more is a claim, equal architecture is none."""
    found = json.loads(output)
    words = found["verdict"]
    claims = ("common-ancestor", "derived", "same-model", "identical")
    kin = found["matches"][0] if found["matches"] else {"evidence": []}
    kinds = [
        each["kind"]
        for evidence in kin["evidence"]
        for each in evidence["detail"].get("diagnosis", ())
    ]
    words = f"{words}: {', '.join(kinds)}" if kinds else words
    return Said(words, SURE if found["verdict"] in claims else NOTHING, kin.get("score"))


def environment(folder: Path, python: str, pins: Path) -> Path:
    """The Python of a virtual environment with what a list pins; it is made where it is missing."""
    inside = folder / "bin" / "python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(inside), "-m", "pip", "install", "-q", "-r", str(pins)], check=True)
    return inside
