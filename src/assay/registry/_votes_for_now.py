from __future__ import annotations

from assay.comparisons._tensor_pairs import informative, matched
from assay.registry._rows import unpack_sketch


class LiveTensors:
    def __init__(self, database):
        self._database = database

    def search(self, sketch, count, where):
        with self._database.read() as c:
            rows = c.execute(
                "SELECT model, body FROM sketches WHERE scheme = ?", [sketch.scheme]
            ).fetchall()
        ours = informative(sketch)
        found = []
        for key, body in rows:
            if where is not None and key not in where:
                continue
            s = sum(
                -max(p.tail, -12) for p in matched(ours, informative(unpack_sketch(body))).pairs
            )
            if s:
                found.append((-s, key))
        return [k for _, k in sorted(found)[:count]]
