"""What was marked, or would be, in words."""

from __future__ import annotations

import shlex

from assay.report import printable
from assay.values import Json


def listed(found: Json, within: str = "") -> str:
    """A plan for people: a line for each figure."""
    lines = []
    for name, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [listed(each, f"{within}{name}.") for each in value]
        elif isinstance(value, dict):
            lines.append(listed(value, f"{within}{name}."))
        else:
            shown = f"{value:.5g}" if isinstance(value, float) else value
            lines.append(f"{within}{name}  {printable(str(shown))}")
    return "\n".join(lines)


def placed(host: Json) -> str:
    """What became of one layer, for people."""
    if "ones" not in host:
        words = (f"{name} {value}" for name, value in host.items() if name != "name")
        return f"{host['name']}: {', '.join(words)}"
    return (
        f"{host['name']}: of {host['positions']:,} secret weights {host['ones']} are above"
        f" {host['high']:.3g}, {host['deviations']:.1f} standard deviations, the others below"
        f" {host['low']:.3g}"
    )


def text(said: Json) -> str:
    """What was done, for people, and what to do next."""
    rows = [
        ("model", said["model"]),
        ("method", said["method"]),
        ("of", said["of"]),
        ("key", f"{said['key']}, digest {said['key_digest'][:16]}: keep it secret, and keep it"),
        ("payload", said["payload"]),
    ]
    for host in said["notes"].get("hosts", ()):
        rows.append(("in", placed(host)))
        if "outlives" in host:
            shares = (f"{share:.2%} of the {what}" for what, share in host["outlives"].items())
            rows.append(("outlives", f"pruning of {' or '.join(shares)}"))
    if "triggers" in said["notes"]:
        known, of = said["notes"]["triggers"]
        rows.append(("triggers", f"{known} of {of} are answered as the key says"))
    if "bits" in said["notes"]:
        right, of = said["notes"]["bits"]
        rows.append(("bits", f"{right} of {of} signs lean as the key says"))
    if "accuracy" in said:
        rows.append(("accuracy", " → ".join(f"{share:.2%}" for share in said["accuracy"])))
    model, key = shlex.quote(said["model"]), shlex.quote(said["key"])
    rows.append(("to see it", f"assay verify {model} --key {key}"))
    return "\n".join(f"{name:11}  {printable(str(value))}" for name, value in rows)
