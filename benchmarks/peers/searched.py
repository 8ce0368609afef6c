"""The same suspects against all sources at once: `assay check` and `modeldna scan`.

provenance-kit searches the models that come with it; it has no command to add one's own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import NOT_COMPARED, NOTHING, SURE, UNSURE, Done, file_of, last_line, ran

CLAIMS = ("common-ancestor", "derived", "same-model", "identical")
LIKELY = 0.9  # modeldna's own bound of a probability


@dataclass(frozen=True)
class Question:
    """A suspect; what may be named for it, if anything."""

    case: str
    suspect: Path
    own: Path | None  # the source that must be named
    itself: Path | None = None  # is registered, and no answer


@dataclass(frozen=True)
class Search:
    """A registry that holds the sources."""

    name: str
    command: Callable[[Path], list[str]]
    read: Callable[[str], dict[str, str]]  # what is claimed of each source that is named

    def ask(self, question: Question, sources: list[Path]) -> dict[str, object]:
        """Whether the source is named, and who else."""
        done = ran(self.command(question.suspect))
        claimed = self.read(done.output) if "{" in done.output else {}
        claimed.pop(str(question.itself), None)
        own = claimed.pop(str(question.own), NOTHING)
        if "{" not in done.output:
            own = NOT_COMPARED
        return {
            "tool": self.name,
            "case": question.case,
            "words": last_line(done.errors) if own == NOT_COMPARED else own,
            "means": own if own in (NOTHING, UNSURE, NOT_COMPARED) else SURE,
            "accused": sorted(short(name) for name, what in claimed.items() if what != UNSURE),
            "unsure": sorted(short(name) for name, what in claimed.items() if what == UNSURE),
            "strangers": len({*sources} - {question.own, question.itself}),
            "cpu_s": done.cpu_s,
            "mib": done.mib,
        }


def short(name: str) -> str:
    """A model by its last two folders."""
    return "/".join(Path(name).parts[-2:])


def assay(sources: list[Path], work: Path) -> Search:
    """A registry under a key of its own."""
    registry = work / "registry"
    command = [sys.executable, "-m", "assay"]
    if not registry.exists():
        registered(ran([*command, "add", *map(str, sources), "--registry", str(registry)]))
    return Search(
        "assay",
        lambda suspect: [
            *command, "check", str(file_of(suspect)), "--registry", str(registry), "--json",
        ],
        read_assay,
    )  # fmt: skip


def registered(done: Done) -> None:
    """Raises RuntimeError where a source was not taken."""
    if "rror" in done.errors:
        raise RuntimeError(done.errors)


def read_assay(output: str) -> dict[str, str]:
    """Matches that are claims."""
    matches = json.loads(output)["matches"]
    return {m["path"]: m["relation"] for m in matches if m["relation"] in CLAIMS}


def modeldna(sources: list[Path], python: Path, work: Path) -> Search:
    """A reference database; each source is a family of its own."""
    program, folder = str(python.with_name("modeldna")), work / "modeldna"
    if not folder.exists():
        for source in sources:
            family = "-".join(source.parts[-2:])
            registered(
                ran([program, "db", "add", str(source), "--family", family, "--db", str(folder)])
            )
    return Search(
        "modeldna",
        lambda suspect: [program, "scan", str(suspect), "--db", str(folder), "--json"],
        read_modeldna,
    )


def read_modeldna(output: str) -> dict[str, str]:
    """The best candidate; of a merge, all that are likely."""
    verdict = json.loads(output)["verdict"]
    words = verdict["verdict"]
    if words in ("NO_MATCH", "INSUFFICIENT"):
        return {}
    if words == "LIKELY_MERGE":
        likely = [c for c in verdict["candidates"] if (c["probability"] or 0) >= LIKELY]
        return {c["candidate_id"]: words for c in likely}
    said = UNSURE if words == "SAME_FAMILY_UNRESOLVED" else words
    return {verdict["best_candidate"]: said}


def questions(seeds: int, resnets: list[Path], work: Path) -> Iterator[Question]:
    """Every suspect; a registered model is asked about, too, and must not be named another's."""
    children = ("copy", "70 % pruned", "layer dropped", "residual stream permuted", "int4")
    for seed in range(seeds):
        folder = work / str(seed)
        base = folder / "base"
        for case in (*children, "int4, GGUF", "fine-tune"):
            yield Question(case, folder / case, base)
        yield Question("twin of a registered model", folder / "twin", base)
        yield Question("independent, other sizes", folder / "small", None)
        yield Question("independent, same configuration", base, None, itself=base)
    for folder in resnets:
        yield Question("ResNet copy, renamed", folder / "resnet renamed", folder / "resnet")
