"""Worker processes that take jobs, and a ledger of what they finished.

A worker waits on a pipe.  When the parent is killed, the pipe ends and so does the worker, after
the job at hand.  The parent alone writes the ledger: one line a finished job, forced to the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing import connection, get_context
from typing import Any

Json = dict[str, Any]
Task = tuple[Callable[..., Json], tuple[Any, ...]]


def results(tasks: dict[str, Task], jobs: int) -> Iterator[tuple[str, Json]]:
    """Each task's name and result as they come; with one job in this process, else in workers.

    Raises:
        EOFError: a worker died; what it died of is on its standard error.
    """
    if jobs == 1:
        yield from ((name, function(*arguments)) for name, (function, arguments) in tasks.items())
        return
    waiting = iter(tasks.items())
    working: dict[connection.Connection, str] = {}
    for pipe in _started(min(jobs, len(tasks))):
        _hand(pipe, waiting, working)
    while working:
        for pipe in connection.wait(list(working)):
            name = working.pop(pipe)
            yield name, pipe.recv()
            _hand(pipe, waiting, working)


def _started(count: int) -> list[connection.Connection]:
    context = get_context("spawn")  # forked processes would share torch's threads
    pipes = []
    for _ in range(count):
        here, there = context.Pipe()
        context.Process(target=_work, args=(there,), daemon=True).start()
        there.close()  # so that a dead worker ends the pipe
        pipes.append(here)
    return pipes


def _hand(
    pipe: connection.Connection,
    waiting: Iterator[tuple[str, Task]],
    working: dict[connection.Connection, str],
) -> None:
    """The next task to an idle worker; where there is none, the worker is sent home."""
    for name, task in waiting:
        pipe.send(task)
        working[pipe] = name
        return
    pipe.send(None)


def _work(pipe: connection.Connection) -> None:
    import torch

    torch.set_num_threads(1)
    try:
        while (task := pipe.recv()) is not None:
            function, arguments = task
            pipe.send(function(*arguments))
    except (EOFError, BrokenPipeError):
        return  # the parent is gone: nobody waits for the result
