"""assay beside cisco-ai-provenance-kit and modeldna, on the same models.

    python benchmarks/peers/run.py FAMILIES [--work FOLDER]
    python benchmarks/peers/run.py FAMILIES --provenance-kit PYTHON --modeldna PYTHON

FAMILIES holds trained ResNets (scripts/make_families.py); the rest is trained here.  Each of the
two others gets a virtual environment of its own from the list beside this file, or is the Python
that is named; the first needs Python 3.12.  Models and answers are kept in --work: a killed run
goes on.  Writes results.json and the tables of README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import made
import searched
import tools
import torch
from tables import written

import assay

HERE = Path(__file__).parent


class Answers:
    """What was said, one line each, kept."""

    def __init__(self, file: Path) -> None:
        self.file = file
        lines = file.read_text().splitlines() if file.exists() else []
        self.known = {row["question"]: row for row in map(json.loads, lines)}

    def add(self, row: dict[str, object]) -> None:
        """Keeps a row under its question."""
        self.known[str(row["question"])] = row
        with self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["question"], row["words"], row["means"], f"{row['cpu_s']} s", flush=True)


def compared(tool: tools.Tool, pairs: list[made.Pair], answers: Answers) -> list[str]:
    """Asks of each pair what was not asked before, a process each; gives the questions."""
    for pair in pairs:
        question = question_of(tool, pair)
        if question not in answers.known:
            answers.add(about(tool, pair) | tool.ask(pair.suspect, pair.source))
    return [question_of(tool, pair) for pair in pairs]


def compared_at_once(
    tool: tools.Tool, python: Path, pairs: list[made.Pair], answers: Answers
) -> list[str]:
    """The same in one process, without costs."""
    missing = [pair for pair in pairs if question_of(tool, pair) not in answers.known]
    if missing:
        said = tools.ask_many(tool, python, [(pair.suspect, pair.source) for pair in missing])
        for pair, answer in zip(missing, said, strict=True):
            answers.add(about(tool, pair) | answer | dict.fromkeys(("cpu_s", "wall_s", "mib")))
    return [question_of(tool, pair) for pair in pairs]


def about(tool: tools.Tool, pair: made.Pair) -> dict[str, object]:
    """What a row says of its pair."""
    return {"question": question_of(tool, pair), "case": pair.case, "truth": pair.truth}


def question_of(tool: tools.Tool, pair: made.Pair) -> str:
    """Its key among the answers."""
    names = " | ".join("/".join(path.parts[-2:]) for path in (pair.suspect, pair.source))
    return f"{tool.name}: {pair.case}: {names}"


def looked_up(
    asked: list[searched.Search],
    suspects: list[searched.Question],
    sources: list[Path],
    answers: Answers,
) -> list[str]:
    """The same of a search among all sources."""
    questions = []
    for suspect in suspects:
        for search in asked:
            name = "/".join(suspect.suspect.parts[-2:])
            question = f"{search.name} in all: {suspect.case}: {name}"
            questions.append(question)
            if question not in answers.known:
                answers.add({"question": question} | search.ask(suspect, sources))
    return questions


def options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", type=Path, help="folder of trained networks")
    kept = Path(tempfile.gettempdir()) / "assay-peers"
    parser.add_argument("--work", type=Path, default=kept, help="for models and answers")
    parser.add_argument("--provenance-kit", type=Path, help="a Python that has it")
    parser.add_argument("--modeldna", type=Path, help="a Python that has it")
    parser.add_argument("--seeds", type=int, default=3, help="models of each kind")
    return parser.parse_args()


def main() -> int:
    """Make what is missing, ask, and write the tables."""
    chosen = options()
    torch.set_num_threads(1)
    work: Path = chosen.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    kit = chosen.provenance_kit or tools.environment(
        work / "provenance-kit", "python3.12", HERE / "provenance-kit.txt"
    )
    dna = chosen.modeldna or tools.environment(
        work / "modeldna-environment", sys.executable, HERE / "modeldna.txt"
    )
    losses = list(made.trained_ones(chosen.seeds, work))
    made.changed(chosen.seeds, work)
    made.in_gguf(chosen.seeds, dna, work)
    names = [f"resnet.fashion-mnist.{seed}.safetensors" for seed in range(chosen.seeds)]
    resnets = made.renamed([chosen.families / name for name in names], work)
    answers = Answers(work / "answers.jsonl")
    sources = [work / str(seed) / "base" for seed in range(chosen.seeds)]
    sources += [folder / "resnet" for folder in resnets]
    searches = [searched.assay(sources, work), searched.modeldna(sources, dna, work)]
    suspects = list(searched.questions(chosen.seeds, resnets, work))
    of_search = looked_up(searches, suspects, sources, answers)
    pairs = list(made.pairs(chosen.seeds, resnets, work))
    of_pairs = compared(tools.assay(), pairs, answers)
    of_pairs += compared(tools.modeldna(dna), pairs, answers)
    third = tools.provenance_kit(kit)  # takes long to load: once for each pair of the first seed
    first = [pair for pair in pairs if {pair.suspect.parent, pair.source.parent} == {work / "0"}]
    of_pairs += compared(third, first, answers)
    of_pairs += compared_at_once(third, kit, [p for p in pairs if p not in first], answers)
    results = {
        "command": "python benchmarks/peers/run.py FAMILIES",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread, shared",
        "seeds": list(range(chosen.seeds)),
        "versions": {
            "assay": assay.__version__,
            "modeldna": "0.1.0",
            "cisco-ai-provenance-kit": "1.0.0",
        },
        "held_out_loss": losses,
        "pairs": [answers.known[question] for question in of_pairs],
        "search": [answers.known[question] for question in of_search],
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    written(results, HERE / "README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
