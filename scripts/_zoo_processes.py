"""Networks made one after the other, each in a process that may fail or be ended alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from assay.durable import append_entry

Entry = dict[str, Any]
Make = Callable[[str], Entry]
MOST_MEMORY = 8 << 30  # bytes that a network's process may take


def make_all(make: Make, names: list[str], ledger: Path, limit: int) -> None:
    """Make these networks, and keep each in the ledger as soon as it is done.

    ``limit`` is the seconds of computing that one may take.
    """
    for count, name in enumerate(names, start=1):
        entry = {"name": name, **_made_apart(make, name, limit)}
        append_entry(ledger, entry)
        told = (
            entry.get("failed") or f"{len(entry['graph']['layers'])} layers, {entry['seconds']} s"
        )
        print(f"{count} of {len(names)}: {name}: {told}", flush=True)


def _made_apart(make: Make, name: str, limit: int) -> Entry:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(make, name, limit, sender))
    process.start()
    sender.close()
    try:
        made: Entry = receiver.recv()
    except EOFError:  # the process was ended before it sent anything
        process.join()
        slow = process.exitcode == -signal.SIGXCPU
        made = {"failed": f"took over {limit} s" if slow else f"ended with {process.exitcode}"}
    process.join()
    return made


def _send(make: Make, name: str, limit: int, sender: Connection) -> None:
    gc.disable()  # a fifth of the time; the process ends with this network
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what the packages print; what goes wrong is in the entry
        os.dup2(silent, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    try:
        sender.send(make(name))
    except Exception as error:  # a network's own code may raise anything; the ledger says what
        lines = str(error).strip().splitlines() or [""]
        sender.send({"failed": f"{type(error).__name__}: {lines[0]}"[:300]})
