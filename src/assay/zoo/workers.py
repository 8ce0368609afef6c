"""Worker processes that take the jobs of an experiment.

A worker waits on a pipe.  When the parent is killed, the pipe ends and so does the worker, after
the job at hand.  The parent alone writes what was found: see ``experiments`` for its ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing import connection, get_context
from typing import Any, TypeAlias

EXTRA = "torch"  # has its threads set; what a task does is its own matter

Json = dict[str, Any]
Pipe: TypeAlias = "connection.Connection[Any, Any]"
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
    working: dict[Pipe, str] = {}
    for pipe in _started(min(jobs, len(tasks))):
        _hand(pipe, waiting, working)
    while working:
        for ready in connection.wait([*working]):
            assert isinstance(ready, connection.Connection)
            yield working.pop(ready), ready.recv()
            _hand(ready, waiting, working)


def _started(count: int) -> list[Pipe]:
    context = get_context("spawn")  # forked processes would share torch's threads
    pipes = []
    for _ in range(count):
        here, there = context.Pipe()
        context.Process(target=_work, args=(there,), daemon=True).start()
        there.close()  # so that a dead worker ends the pipe
        pipes.append(here)
    return pipes


def _hand(
    pipe: Pipe,
    waiting: Iterator[tuple[str, Task]],
    working: dict[Pipe, str],
) -> None:
    """The next task to an idle worker; where there is none, the worker is sent home."""
    for name, task in waiting:
        pipe.send(task)
        working[pipe] = name
        return
    pipe.send(None)


def _work(pipe: Pipe) -> None:
    import torch

    torch.set_num_threads(1)
    try:
        while (task := pipe.recv()) is not None:
            function, arguments = task
            pipe.send(function(*arguments))
    except (EOFError, BrokenPipeError):
        return  # the parent is gone: nobody waits for the result
