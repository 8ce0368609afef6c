"""What a hash network is to be trained on: files in folders of their categories, and zoos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli._terminal import attempts, complain, remark
from assay.cli.keeping import collect
from assay.errors import AssayError, BadOption
from assay.values import Json

if TYPE_CHECKING:
    from assay.trainers._folder import Read, Source
    from assay.zoo import Architecture

LEDGER = "models.jsonl"


@dataclass(frozen=True)
class Given:
    """Where models to train on are to be found."""

    files: Mapping[str, str]  # category by path
    closed: Mapping[str, OSError]  # folders
    of_zoos: Sequence[Source]  # as they are given, what comes with assay last

    @classmethod
    def of(cls, paths: Sequence[str], packaged: bool) -> Given:
        """What the arguments mean; zoos are read, for a bad one is to be known at once.

        Raises BadOption where there is nothing to train on, BadData where a zoo's file is none.
        """
        from assay.zoo import SUFFIX

        zoos = [path for path in paths if path.endswith(SUFFIX) and Path(path).is_file()]
        folders = [path for path in paths if path not in zoos]
        if not (paths or packaged):
            raise BadOption("nothing to train on: give a folder, a zoo's file, or --zoo")
        files, closed = categorized(folders) if folders else ({}, {})
        return cls(files, closed, of_zoos(zoos, packaged))

    def sources(self, state: Path) -> tuple[list[Source], list[Json]]:
        """The models; path and error of each file that is of no use.

        Who comes first stands for all others with its layers: files, then zoos as they are given,
        then what comes with assay.  Raises AssayError where none is left.
        """
        found, failures = sources(self.files, self.closed, state) if self.files else ([], [])
        if self.of_zoos:
            found = joined(found, self.of_zoos)
        if not found:
            raise AssayError("none of the files can be trained on")
        return found, failures


def of_zoos(paths: Sequence[str], packaged: bool) -> list[Source]:
    """The models of zoos' files, then those that come with assay.

    Raises BadData where a file is no zoo, BadOption where it is of other rules.
    """
    from assay.graphs import VERSION
    from assay.trainers._folder import Source
    from assay.zoo import architectures, read_zoo

    known = [(path, each) for path in paths for each in read_zoo(path)]
    known += [("", each) for each in (architectures() if packaged else ())]
    for path, each in known:
        if each.graph.rules != VERSION:
            raise BadOption(
                f"{path}: its layer graphs are of rules {each.graph.rules}, not {VERSION}:"
                " pack it again"
            )
    return [Source(each.name, each.family, each.graph, each.raw) for _, each in known]


def joined(own: Sequence[Source], others: Sequence[Source]) -> list[Source]:
    """All, but of the others no model whose layers are there before, of whatever category."""
    from assay.graphs.neighborhoods import fingerprint

    known = {fingerprint(source.graph) for source in own}
    result, names = list(own), {source.path for source in own}
    for source in others:
        looks = fingerprint(source.graph)
        if looks not in known and source.path not in names:
            known.add(looks)
            names.add(source.path)
            result.append(source)
    left_out = len(own) + len(others) - len(result)
    if left_out:
        remark(f"left out of zoos, the layers or the name of another model: {left_out}")
    return result


def packed(models: Sequence[Source]) -> list[Architecture]:
    """The models as a zoo has them."""
    from assay.zoo import Architecture

    return [
        Architecture(each.path, each.category, "", (), each.graph, each.raw)
        for each in models
        if each.raw is not None
    ]


def sources(
    categories: Mapping[str, str], closed: Mapping[str, OSError], state: Path
) -> tuple[list[Source], list[Json]]:
    """The models of the files in ``categories``; path and error of each that is of no use."""
    from assay.trainers._folder import Ledger, Source, distinct

    ledger = Ledger(state / LEDGER)
    found, failures = [], []

    def read(path: str) -> Read:
        if path in closed:
            raise closed[path]
        return ledger.graphs(path)

    for path, made, wrong in attempts([*categories], read, "Reading"):
        if made is None:
            failures.append({"path": path, "error": wrong})
        else:
            ledger.keep(path, made)
            found.append(Source(path, categories[path], made.graph, made.raw))
    sorted_out = distinct(found)
    for source, original in sorted_out.conflicts:
        wrong = f"{source.path}: has the layers of {original.path}, of another category"
        complain(wrong)
        failures.append({"path": source.path, "error": wrong})
    if sorted_out.repeats:
        remark(f"left out, the layers of another model: {len(sorted_out.repeats)}")
    return sorted_out.models, failures


def categorized(folders: Sequence[str]) -> tuple[dict[str, str], dict[str, OSError]]:
    """Category by path, ordered by both; folders that are closed.

    Raises BadOption where there is nothing to train on.
    """
    found: dict[str, str] = {}
    closed: dict[str, OSError] = {}
    outside = 0
    for folder in folders:
        if not Path(folder).exists():
            raise BadOption(f"{folder}: no such file or folder")
        if not Path(folder).is_dir():
            raise BadOption(f"{folder}: not a folder: give one with a folder for each category")
        files, left_out, shut = collect([folder])
        closed |= shut
        for reason, number in sorted(left_out.items()):
            remark(f"left out, {reason}: {number}")
        for path in files:
            place = Path(path).relative_to(folder).parts
            if len(place) > 1 or path in shut:
                found[path] = place[0] if place else ""
            else:
                outside += 1
    if not found:
        why = "in no folder of their category" if outside else "not there"
        raise BadOption(f"{folders[0]}: models are {why}: put them into {folders[0]}/<category>/")
    if outside:
        remark(f"left out, in no category's folder: {outside}")
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0]))), closed
