"""Reads files one after the other, each in a child with limits, and says how that went.

A line on standard input is a path; the answer is one line of JSON: the error or the summary, the
most memory that was resident, or the signal that ended the child.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from assay import containers, formats, graphs, vocabularies, weights
from assay.errors import AssayError
from assay.examine import examine
from assay.formats import naming, read

CPU_SECONDS = 20  # a guard: an honest reading takes a fraction of it, on a loaded machine too
ADDRESSES = 3 * 2**30  # bytes; what is resident is measured


def outcome(path: str) -> dict[str, object]:
    try:
        record = examine(path, digest=False)
    except AssayError as error:
        return {"error": str(error)}
    layers = 0 if record.graph is None else len(record.graph.layers)
    answer = {"layers": layers, "quality": record.quality, "unreadable": unreadable(path)}
    return answer | {"json": len(json.dumps(record.to_json()))}


def unreadable(path: str) -> str:
    """Reads each weight; what is wrong with the last one that is damaged, or nothing."""
    wrong = ""
    for weight in read(Path(path)).weights.values():
        try:
            with naming(path):
                weight.read()
        except AssayError as error:
            wrong = str(error)
    return wrong


def child(path: str, answer: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    result = outcome(path)
    used = resource.getrusage(resource.RUSAGE_SELF)
    deeper = resource.getrusage(resource.RUSAGE_CHILDREN)
    result["megabytes"] = max(used.ru_maxrss, deeper.ru_maxrss) // 1024
    result["seconds"] = round(used.ru_utime + used.ru_stime + deeper.ru_utime + deeper.ru_stime, 2)
    os.write(answer, json.dumps(result).encode())


def main() -> None:
    for line in sys.stdin:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            child(line.rstrip("\n"), write_end)
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write((answer.decode() or json.dumps({"killed": status})) + "\n")
        sys.stdout.flush()


def import_readers() -> None:
    """Once, for all children."""
    for part in (graphs, weights, containers, vocabularies, formats):
        for module in walk_packages(part.__path__, f"{part.__name__}."):
            if "_torch" not in module.name:
                import_module(module.name)
    import_module("onnx")


if __name__ == "__main__":
    import_readers()
    main()
