"""How many stolen models are found by their answers, and what thieves can do about it.

    python benchmarks/stealing/run.py garments digits --models FOLDER --sets DATA --whole
    python benchmarks/stealing/run.py --report   # the tables of README.md, of results.json alone
    python benchmarks/stealing/run.py small      # scikit-learn's digits, minutes, nothing written

Trains what FOLDER lacks of the ground's models, each edition in a folder of its name, asks them,
and keeps their answers there: a killed run goes on.  DATA holds the data sets fashion-mnist and
mnist, each in a folder of its name.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from adversaries import TUNED, Adversaries
from asked import ALARM, Crowd, among_references, among_twins, rivals
from ground import EDITIONS, plan
from stealing_tables import tables

from assay.durable import append_entry, read_ledger
from assay.fingerprints import FINGERPRINTS, Calibrated, Fingerprint, fuse
from assay.zoo import _building
from assay.zoo.experiments import hardware, write_report

HERE = Path(__file__).parent
MATCHED = 0.02  # accuracies of strangers that are as good as a thief
BUDGETS = (50, 200, 1000, 5000)
SLOW = "vgg"  # its probes take minutes to make: it is disguised where the whole is wanted
DISGUISES = ("as it was", "rounded to 2 digits", "labels alone", "detects probes", *TUNED)
NEUTRAL = ("partial-correlation", "label-agreement")  # of those that twins are asked by
Judge = Callable[..., dict[str, Calibrated]]
Found = dict[str, Calibrated]


@dataclass(frozen=True)
class Bench:
    """The ground, and a ledger of what was found on it."""

    crowd: Crowd
    seed: int
    whole: bool = False  # whether methods are asked, too, that take minutes for each owner

    def thieves(self, owner: str, judge: Judge, name: str, method: Fingerprint) -> Found:
        """What a method says of an owner's thieves; of the ledger, where it was asked before."""
        key, ledger = f"{judge.__name__} {owner} {name}", self.crowd.folder / "ledger.jsonl"
        others = len(self.crowd.twins(owner)), len(self.crowd.thieves(owner))
        behavior = f"{method} {self.seed} {others}"
        known = read_ledger(ledger).get(key)
        if known is None or known["behavior"] != behavior:
            queries = self.crowd.crafted(owner, method, self.seed)
            suspects = [*self.crowd.thieves(owner)]
            if judge is among_twins:  # nobody says of these that they are stolen, but they may be
                own = {*self.crowd.twins(owner)}
                suspects += [n for n in self.crowd.references(owner) if n not in own]
            answers = {n: self.crowd.answers(n, method, queries) for n in suspects}
            found = judge(self.crowd, owner, method, answers, self.seed)
            known = {
                "key": key,
                "found": {n: asdict(each) for n, each in found.items()},
                "behavior": behavior,
            }
            append_entry(ledger, known)
            print(key, flush=True)
        return {name: _calibrated(each) for name, each in known["found"].items()}


def _calibrated(kept: Mapping[str, Any]) -> Calibrated:
    """What the ledger has kept of it; its first lines do not say who the references are."""
    null = tuple(kept["null"])
    among = tuple(kept.get("among") or map(str, range(len(null))))
    return Calibrated(**{**kept, "null": null, "methods": tuple(kept["methods"]), "among": among})


def kind(name: str) -> str:
    """What a thief did, and to which network."""
    return name.rpartition(".")[2]


def is_found(found: Calibrated) -> bool:
    """At 5 %; among fewer than 19 others, where none is as near."""
    assert found.score is not None
    above = sum(each >= found.score for each in found.null)
    return (1 + above) / (1 + len(found.null)) <= max(ALARM, 1 / (1 + len(found.null)))


def nearer(found: Calibrated, places: Iterable[int] | None = None) -> float:
    """The share of the others, or of some, that the suspect is nearer than."""
    null = np.array(found.null)
    chosen = null if places is None else null[[*places]]
    return float((chosen < found.score).mean()) if len(chosen) else float("nan")


def summary(found: Mapping[str, Found], seed: int) -> dict[str, Any]:
    """Of thieves: the share that is found by kind, in all with an interval, and the AUC."""
    kinds: dict[str, list[Calibrated]] = {}
    for owner, several in found.items():
        for name, each in several.items():
            if name.startswith(f"{owner}.") and each.score is not None:
                kinds.setdefault(kind(name), []).append(each)
    owned = [
        [is_found(e) for n, e in several.items() if n.startswith(f"{o}.") and e.score is not None]
        for o, several in found.items()
    ]
    rng = np.random.default_rng(seed)
    draws = [
        np.mean([v for place in rng.integers(0, len(owned), len(owned)) for v in owned[place]])
        for _ in range(1000)
    ]
    everyone = [each for several in kinds.values() for each in several]
    return {
        "kinds": {
            name: [
                sum(map(is_found, several)),
                len(several),
                round(np.mean([*map(nearer, several)]), 3),
            ]
            for name, several in kinds.items()
        },
        "found": round(float(np.mean([*map(is_found, everyone)])), 3),
        "interval": [round(float(q), 3) for q in np.quantile(draws, (0.025, 0.975))],
        "auc": round(float(np.mean([*map(nearer, everyone)])), 3),
        "thieves": len(everyone),
    }


def matched_auc(bench: Bench, found: Mapping[str, Found]) -> float | None:
    """The AUC among references that are as accurate as the thief."""
    records, values = bench.crowd.records, list[float]()
    for owner, several in found.items():
        names = bench.crowd.references(owner)
        for name, each in several.items():
            own = records[name]["accuracy"]
            near = [p for p, n in enumerate(names) if abs(records[n]["accuracy"] - own) <= MATCHED]
            if near and each.score is not None:
                values.append(nearer(each, near))
    return round(float(np.mean(values)), 3) if values else None


def by_references(bench: Bench) -> dict[str, Any]:
    """Every method, and all together."""
    found: dict[str, dict[str, Found]] = {}
    for name, method in rivals(bench.whole).items():
        for owner in bench.crowd.owners():
            found.setdefault(name, {})[owner] = bench.thieves(owner, among_references, name, method)
    together = [name for name in found if "plain" not in name]
    found["Together"] = {
        owner: {
            thief: fuse([found[name][owner][thief] for name in together], ALARM)
            for thief in found[together[0]][owner]
        }
        for owner in bench.crowd.owners()
    }
    return {
        name: {**summary(each, bench.seed), "matched": matched_auc(bench, each)}
        for name, each in found.items()
    }


def by_twins(bench: Bench) -> dict[str, Any]:
    """The methods whose queries are made of nobody's model, and all of these together."""
    found: dict[str, dict[str, Found]] = {}
    labels = FINGERPRINTS["partial-correlation"](entries="labels")  # type: ignore[call-arg]
    methods = {n: rivals(False)[n] for n in NEUTRAL} | {"partial-correlation, labels alone": labels}
    for name, method in methods.items():
        for owner in bench.crowd.owners():
            found.setdefault(name, {})[owner] = bench.thieves(owner, among_twins, name, method)
    rows = {}
    for name, several in found.items():
        honest = [
            each
            for owner, suspects in several.items()
            for suspect, each in suspects.items()
            if not suspect.startswith(f"{owner}.")
        ]
        accused = sum(map(is_found, honest))
        expected = sum(1 / (1 + len(e.null)) for e in honest)
        rows[name] = {
            **summary(several, bench.seed),
            "accused": [accused, len(honest), round(expected, 1)],
        }
    return rows


def budgets(bench: Bench) -> dict[str, Any]:
    """What more queries are worth."""
    rows: dict[str, Any] = {}
    for count in BUDGETS:
        method = FINGERPRINTS["partial-correlation"](count=count)  # type: ignore[call-arg]
        for judge in (among_references, among_twins):
            found = {
                owner: bench.thieves(owner, judge, f"budget {count}", method)
                for owner in bench.crowd.owners()
            }
            rows.setdefault(str(count), {})[judge.__name__] = summary(found, bench.seed)
    return rows


def disguises(bench: Bench) -> dict[str, Any]:
    """The thieves who know how they are looked for: whether each is found, and what it costs."""
    rows: dict[str, Any] = {}
    crowd = bench.crowd
    for owner in crowd.owners():
        if owner.startswith(SLOW) and not bench.whole:
            continue
        made = Adversaries(crowd, owner)
        for name in DISGUISES:
            accuracy = made.accuracy(made.module(name if name in TUNED else ""))
            row = rows.setdefault(name, {"accuracy": [], "diverted": []})
            row["accuracy"].append(round(accuracy, 4))
            for method in ("partial-correlation", "modeldiff", "label-agreement"):
                known = rivals(False)[method]
                queries = crowd.crafted(owner, known, bench.seed)
                answers = {made.decoy: made.answers(name, known, queries)}  # in the decoy's place
                if name == "detects probes":
                    row["diverted"].append([method, round(float(made.diverted(queries).mean()), 3)])
                judges: list[Judge] = [among_references]
                if known.is_neutral:
                    judges.append(among_twins)
                for judge in judges:
                    each = judge(crowd, owner, known, answers, bench.seed)[made.decoy]
                    cell = row.setdefault(f"{method} {judge.__name__}", [0, 0])
                    if each.score is not None:
                        cell[0] += is_found(each)
                        cell[1] += 1
    return rows


def measured(bench: Bench) -> dict[str, Any]:
    """All that is in results.json of one edition."""
    return {
        "seed": bench.seed,
        "hardware": hardware(),
        "owners": {o: bench.crowd.records[o]["accuracy"] for o in bench.crowd.owners()},
        "twins": by_twins(bench),
        "references": by_references(bench),
        "budgets": budgets(bench),
        "disguises": disguises(bench),
    }


def built(edition: str, given: argparse.Namespace, folder: Path) -> Bench:
    """The edition's models, those that ``folder`` lacks trained."""
    _building.build(
        folder,
        plan(edition),
        jobs=given.jobs,
        data=given.sets,
        progress=lambda name, done, of: print(name, done, of, flush=True),
    )
    return Bench(Crowd(edition, folder, given.sets), given.seed, given.whole)


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("editions", nargs="*", metavar="EDITION", help=", ".join(EDITIONS))
    parser.add_argument("--models", type=Path, help="folder of the models; by default one for now")
    parser.add_argument("--sets", type=Path, help="folder with the data sets")
    parser.add_argument("--seed", type=int, default=0, help="of the queries")
    parser.add_argument("--jobs", type=int, default=1, help="processes that train")
    parser.add_argument("--whole", action="store_true", help="ask all methods, also slow ones")
    parser.add_argument("--small", action="store_const", const=["small"], dest="editions")
    parser.add_argument("--report", action="store_true", help="of results.json; ask nobody")
    given = parser.parse_args()
    if unknown := {*given.editions} - {*EDITIONS}:
        parser.error(f"no edition {', '.join(sorted(unknown))}: there are {', '.join(EDITIONS)}")
    known: dict[str, Any] = json.loads((HERE / "results.json").read_text())
    if given.report:
        write_report(HERE, known, tables(known))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for edition in given.editions or ["small"]:
            found = measured(built(edition, given, (given.models or Path(scratch)) / edition))
            if edition == "small":
                print(json.dumps(found))
                continue
            known[edition] = found
            write_report(HERE, known, tables(known))


if __name__ == "__main__":
    main()
