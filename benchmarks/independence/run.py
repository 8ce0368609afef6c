"""Whether independent networks are ever called related, and twins or siblings derived.

    python benchmarks/independence/run.py FAMILIES --sets DATA [--trained FOLDER] [--real FOLDER]
    python benchmarks/independence/run.py --small    # scikit-learn's digits, seconds, no file

FAMILIES holds trained networks with their lineage (scripts/make_families.py); DATA the data sets
fashion-mnist and mnist, each in a folder of its name.  Networks trained here lie in ``--trained``,
where a killed run goes on.  FOLDER of ``--real`` holds real files, each family in a folder.  Writes
results.json, calibration.svg and twins.svg; ends with 1 where one was accused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from calibrated import measured, tails, too_often
from siblings import judged as siblings_judged
from strangers import LEVELS, Network, judged, said
from trained import Data, Run, Way, made, sketched
from twins import GRIDS, Grid, accused, accused_of_families, of_one_start, table
from twins import judged as twins_judged

from assay.errors import AssayError
from assay.sketches.readings import tried
from assay.values import Relation

HERE = Path(__file__).parent
KEYS = [hashlib.sha256(bytes([number])).digest() for number in range(3)]
SEEDS = {"mlp": 60, "cnn": 60, "transformer": 40, "gru": 40}  # networks of one start each
_FIRST = 1000  # seed: none of the families'
_WAY = Way((94,))
File = tuple[str, str, Path]  # architecture, start, file


def trained_apart(seeds: dict[str, int], data: Data, folder: Path, sets: Path | None) -> list[File]:
    """Networks of many seeds, trained on the same data: as near as independent ones can be."""
    found = []
    for network, count in seeds.items():
        for seed in range(_FIRST, _FIRST + count):
            (file,) = made(Run(network, data, _WAY, seed, order=seed), folder, sets).values()
            found.append((network, f"{network}.{seed}", file))
    return found


def of_families(folder: Path) -> list[File]:
    """Networks trained from the start: same network and seed, same start."""
    names = (file.name.split(".") for file in sorted(folder.glob("*.safetensors")))
    return [
        (name[0], f"{name[0]}.{name[2]}", folder / ".".join(name))
        for name in names
        if len(name) == 4 and name[2].isdigit()
    ]


def sketches(files: list[File], key: bytes) -> list[Network]:
    """Each as it is stored, and as a suspect is searched."""
    return [
        Network(architecture, start, file.name, sketched(file, key), sketched(file, key, tried))
        for architecture, start, file in files
    ]


def of_strangers(files: list[File]) -> dict[str, Any]:
    """All pairs with each key: what is said, and what is stated against what is measured."""
    pairs, stated = [], []
    for key in KEYS:
        networks = sketches(files, key)
        pairs.append(judged(networks))
        stated.append(tails(networks))
        print("strangers", pairs[-1]["all_pairs"], flush=True)
    return {"levels": list(LEVELS), "by_key": pairs, "calibration": measured(stated)}


def real_files(folder: Path) -> list[File]:
    """All models below a folder; the first folder names the family, which is its start."""
    found = []
    for path in sorted(folder.glob("*/**/*")):
        family = path.relative_to(folder).parts[0]
        try:
            if path.is_file() and sketched(path, KEYS[0]).tensors:
                found.append(("real", family, path))
        except AssayError:
            continue  # no model, or a part of one
    return found


def single_layers(folder: Path, data: Data, other: Data, sets: Path | None) -> dict[str, Any]:
    """Linear models of two seeds and disjoint data: the best one is one, whatever the start."""
    found = {}
    for way in (Way((94, 470)), Way((94, 470), "sgd", 1e-2)):
        runs = [Run("linear", rows, way, seed, seed) for seed, rows in ((1, data), (2, other))]
        one, two = (made(run, folder, sets) for run in runs)
        for step in way.steps:
            about = said(sketched(one[step], KEYS[0], tried), sketched(two[step], KEYS[0]))
            found[f"{way.optimizer}, {step} steps"] = {
                "said": str(about.relation),
                "log10_false_alarm": about.log10_false_alarm,
                "bits": about.detail["mean"],
            }
    return found


def of_twins(
    grid: Grid, folder: Path, sets: Path | None, families: list[Network]
) -> dict[str, Any]:
    """What is said of twins, and who was accused."""
    rows = twins_judged(grid, folder, sets, KEYS[0])
    by_tasks = of_one_start(families)
    return {
        "said": table(rows),
        "of_families": by_tasks,
        "accused": [*accused(rows), *accused_of_families(by_tasks)],
        "rows": rows,
    }


def wrong(results: dict[str, Any]) -> list[str]:
    """What must not be."""
    strangers = results["strangers"]
    found = [
        f"strangers called {relation}: {count}"
        for each in [*strangers["by_key"], *([results["real"]] if "real" in results else [])]
        for relation, count in each["all_pairs"]["said"].items()
        if Relation.parse(relation) >= Relation.COMMON_ANCESTOR
    ]
    found += too_often(strangers["calibration"])
    found += [f"single layers: {row}" for row in results["single_layers"].values() if _is_bad(row)]
    found += [f"twins: {row}" for row in results["twins"]["accused"]]
    return found + [f"siblings: {each}" for each in results["siblings"]["siblings_accused"]]


def _is_bad(row: dict[str, Any]) -> bool:
    return Relation.parse(row["said"]) >= Relation.COMMON_ANCESTOR


def small(folder: Path) -> dict[str, Any]:
    """All of it on digits, and a few networks."""
    files = trained_apart({"mlp": 6, "vgg": 4}, Data("digits", 800), folder, None)
    return {
        "strangers": of_strangers(files),
        "single_layers": single_layers(folder, Data("digits", 700), Data("digits", 700, 700), None),
        "twins": of_twins(GRIDS["small"], folder, None, []),
        "siblings": {"siblings_accused": []},
    }


def full(arguments: argparse.Namespace) -> dict[str, Any]:
    """Minutes to train where ``--trained`` is empty, and minutes to judge."""
    folder, sets = arguments.trained, arguments.sets
    rows = Data("fashion-mnist", 30_000), Data("fashion-mnist", 30_000, 30_000)
    files = of_families(arguments.families)
    apart = trained_apart(SEEDS, Data("fashion-mnist", 6_000), folder, sets)
    results = {
        "strangers": of_strangers([*files, *apart]),
        "single_layers": single_layers(folder, *rows, sets),
        "siblings": siblings_judged(arguments.families),
        "twins": of_twins(GRIDS["full"], folder, sets, sketches(files, KEYS[0])),
    }
    if arguments.real:
        results["real"] = judged(sketches(real_files(arguments.real), KEYS[0]))
    return results


def main() -> None:
    """Measures, writes, and ends with 1 where somebody was accused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", type=Path, nargs="?")
    parser.add_argument("--sets", type=Path)
    parser.add_argument("--trained", type=Path, default=Path("trained"))
    parser.add_argument("--real", type=Path)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    if arguments.small:
        with tempfile.TemporaryDirectory() as folder:
            results = small(Path(folder))
        print(json.dumps(results))
    elif arguments.families is None:
        parser.error("FAMILIES is needed without --small")
    else:
        about = {
            "command": shlex.join(["run.py", *(Path(each).name for each in sys.argv[1:])]),
            "keys": len(KEYS),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
        }
        results = about | full(arguments)
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        import plots  # matplotlib is needed for the pictures alone

        plots.calibration(results["strangers"]["calibration"], HERE / "calibration.svg")
        plots.twins(results["twins"]["rows"], HERE / "twins.svg")
    found = wrong(results)
    raise SystemExit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
