"""results.json, the tables of README.md, and the plot of the law, from the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from plan import Scope

from assay.durable import write_whole
from assay.zoo.experiments import hardware

Json = dict[str, Any]
COLORS = {"lenet-5": "#0072B2", "vgg": "#D55E00", "resnet": "#009E73"}  # Okabe and Ito's
SIDE, MARGIN = 300, 50  # of one panel
FLOOR = 0.4  # of both axes
_CELLS = (
    "bits", "keys", "most lost, points", "mean", "outlives, of the layer", "no bit wrong",
    "of the model", "no bit wrong",
)  # fmt: skip


def results(entries: Sequence[Json], scope: Scope) -> Json:
    """All that was measured, by kind."""
    kinds: dict[str, list[Json]] = {}
    for entry in entries:
        kept = {k: v for k, v in entry.items() if k not in ("key", "behavior", "kind")}
        kinds.setdefault(entry["kind"], []).append(kept)
    seconds = round(sum(entry["cpu_seconds"] for entry in entries), 1)
    return {
        "command": "python papers/constant_weight/run.py --sets FOLDER --families FOLDER",
        "machine": hardware(),
        "data": scope.data,
        "pictures": {"training": scope.pictures, "test": scope.judged, "attack": scope.attack[0]},
        "cpu_seconds": seconds,
        **kinds,
    }


def tables(found: Json) -> dict[str, str]:
    """Each table of the page by its name."""
    return {
        "pruning": _pruning(found.get("pruning", [])),
        "tuning": _tuning(found.get("tuning", [])),
        "marked": _marked(found.get("marked in tuning", [])),
        "disguises": _disguises(found.get("disguises", [])),
        "codes": _codes(found.get("codes", [])),
        "alarms": _alarms(found),
        "law": _law(found.get("law", [])),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _pruning(entries: Sequence[Json]) -> str:
    return _table(("network", *_CELLS), _cells(entries))


def _cells(entries: Sequence[Json]) -> list[list[object]]:
    """A row for each network and length of payload, of all keys."""
    rows = []
    groups = {(e["network"], c["bits"]) for e in entries for c in e["cells"]}
    for network, bits in sorted(groups):
        cells = [c for e in entries if e["network"] == network for c in e["cells"]]
        cells = [c for c in cells if c["bits"] == bits]
        lost = [c["lost"] for c in cells]
        row = [network, bits, len(cells), f"{max(lost):+.2f}", f"{sum(lost) / len(lost):+.2f}"]
        for scope, name in (("layer", "layer"), ("global", "model")):
            attacks = [a for c in cells for a in c["attacks"] if a["scope"] == scope]
            whole = sum(a["score"] == 1.0 for a in attacks)
            row += [f"{min(c['outlives'][name] for c in cells):.4f}", f"{whole} of {len(attacks)}"]
        rows.append(row)
    return rows


def _law(entries: Sequence[Json]) -> str:
    points = [(e["network"], p) for e in entries for p in e["points"]]
    rows = []
    for network in dict.fromkeys(n for n, _ in points):
        for scope in ("layer", "global"):
            own = [p for n, p in points if n == network and p["scope"] == scope]
            off = [abs(p["measured"] - p["predicted"]) for p in own]
            rows.append((network, scope, len(own), f"{max(off):.4f}"))
    return _table(("network", "pruning", "marks", "measured and predicted differ by at most"), rows)


def _tuning(entries: Sequence[Json]) -> str:
    rows = [
        (
            e["network"], e["detail"][0], f"{e['detail'][1]:g}", f"{e['lost']:+.2f}",
            f"{e['after']:.1f}", f"{e['score']:.3f}", f"{e['log10']:.1f}",
            "yes" if e["payload"] else "no",
        )
        for e in entries
    ]  # fmt: skip
    head = ("network", "scheme", "rate", "lost by marking, points", "accuracy after tuning, %")
    return _table((*head, "of the mark left", "log₁₀ p", "payload reads"), rows)


def _marked(entries: Sequence[Json]) -> str:
    ways = dict.fromkeys(entry["detail"][0] for entry in entries)
    rows = [
        (way, *row) for way in ways for row in _cells([e for e in entries if e["detail"][0] == way])
    ]
    return _table(("way", "network", *_CELLS), rows)


def _disguises(entries: Sequence[Json]) -> str:
    rows = []
    for entry in entries:
        for name, a in entry["attacks"].items():
            row: list[object] = [entry["network"], name, f"{a['accuracy']:.1f}"]
            for way in ("plain", "with original"):
                payload = "yes" if a[way]["payload"] else "no"
                row += [f"{a[way]['score']:.2f}, {a[way]['log10']:.0f}", payload]
            rows.append(row)
    head = ("network", "attack", "accuracy, %", "left, log₁₀ p", "payload reads")
    return _table((*head, "with the original", "payload reads"), rows)


def _codes(entries: Sequence[Json]) -> str:
    rows = [row for entry in entries for row in entry["rows"]]
    names = [name for name in rows[0] if name != "noise"] if rows else []
    head = ("noise, deviations of the layer", *names)
    return _table(head, ([row["noise"], *(row[name] for name in names)] for row in rows))


def _alarms(found: Json) -> str:
    rows = []
    for kind in ("wrong keys", "clean models"):
        for entry in found.get(kind, []):
            where = entry["network"] if kind == "wrong keys" else f"{entry['models']} clean models"
            for name, a in entry["schemes"].items():
                interval = (_interval(a[level], a["keys"]) for level in ("1e-2", "1e-3"))
                rows.append((kind, where, name, a["keys"], *interval, a["lowest"]))
    head = (
        "what",
        "in",
        "scheme",
        "keys",
        "at or below 1e-2",
        "at or below 1e-3",
        "lowest log₁₀ p",
    )
    return _table(head, rows)


def _interval(count: int, of: int) -> str:
    """A rate with its 95 % interval [Clopper and Pearson, 1934]."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return f"{count} ({low:.4f}–{high:.4f})"


def write_plot(found: Json, folder: Path) -> None:
    """The law, predicted against measured, as plain SVG: a panel for each kind of pruning."""
    entries = found.get("law", [])
    panels = [
        _panel(entries, scope, n * (SIDE + MARGIN)) for n, scope in enumerate(("layer", "global"))
    ]
    size = f'width="{2 * (SIDE + MARGIN) + MARGIN}" height="{SIDE + 2 * MARGIN}"'
    style = 'font-family="sans-serif" font-size="11"'
    text = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n'
    text += '<rect width="100%" height="100%" fill="white"/>\n' + "".join(panels) + "</svg>\n"
    write_whole(folder / "law.svg", text.encode())


def _panel(entries: Sequence[Json], scope: str, left: int) -> str:
    """Both axes from FLOOR to 1; the diagonal is the law."""
    x0, y0 = left + MARGIN, MARGIN + SIDE - 40

    def at(value: float) -> float:
        return (value - FLOOR) / (1 - FLOOR) * (SIDE - 40)

    title = "smallest of each layer" if scope == "layer" else "smallest of the model"
    parts = [f'<text x="{x0}" y="{MARGIN - 12}">pruned: the {title}</text>\n']
    for tick in (0.4, 0.6, 0.8, 1.0):
        x, y = x0 + at(tick), y0 - at(tick)
        parts.append(f'<text x="{x:.0f}" y="{y0 + 16}" text-anchor="middle">{tick}</text>\n')
        parts.append(f'<text x="{x0 - 6}" y="{y + 4:.0f}" text-anchor="end">{tick}</text>\n')
    end = SIDE - 40
    frame = f'x="{x0}" y="{y0 - end}" width="{end}" height="{end}"'
    parts.append(f'<rect {frame} fill="none" stroke="#888"/>\n')
    line = f'x1="{x0}" y1="{y0}" x2="{x0 + end}" y2="{y0 - end}"'
    parts.append(f'<line {line} stroke="#888" stroke-dasharray="4 3"/>\n')
    parts.append(f'<text x="{x0}" y="{y0 + 32}">predicted R_max; measured upwards</text>\n')
    for number, name in enumerate(dict.fromkeys(e["network"] for e in entries)):
        color = COLORS[name]
        label = f'x="{x0 + 8}" y="{y0 - end + 16 + 14 * number}" fill="{color}"'
        parts.append(f"<text {label}>{name}</text>\n")
        for entry in entries:
            for p in entry["points"] if entry["network"] == name else ():
                if p["scope"] == scope and p["predicted"] >= FLOOR:
                    place = f'cx="{x0 + at(p["predicted"]):.1f}" cy="{y0 - at(p["measured"]):.1f}"'
                    parts.append(f'<circle {place} r="3.5" fill="none" stroke="{color}"/>\n')
    return "".join(parts)
