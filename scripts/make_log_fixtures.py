"""Writes a key, a head and a proof that every later version must still read and hold for good.

python scripts/make_log_fixtures.py

The keys are drawn anew each time: run it only for a new format, into a folder of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.keys.signing import SigningKey
from assay.registry import Registry
from assay.transparency.claims import commit

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "log"


def main() -> None:
    """Five entries; entry 3 is proved for who kept the head of two, and of five."""
    FOLDER.mkdir()
    owner = SigningKey.new()
    owner.write(FOLDER / "owner.key")
    owner.write(FOLDER / "sealed.key", "correct horse battery staple")
    openings = [commit(owner, f"{number}" * 64, key="a" * 64) for number in range(5)]
    with TemporaryDirectory() as folder, Registry.open(folder) as registry:
        for opening in openings:
            registry.log.append(opening.commitment)
        for size in (2, 5):
            head = registry.log.head(size)
            (FOLDER / f"head-{size}.txt").write_text(str(head), encoding="utf-8")
            proof = registry.log.prove(3, since=head, opening=openings[3])
            (FOLDER / f"proof-{size}.json").write_text(proof.text)
    statement = json.dumps(asdict(openings[3].statement), indent=1)
    (FOLDER / "statement.json").write_text(f"{statement}\n")


if __name__ == "__main__":
    main()
