"""TensorFlow Lite files whose graphs call each other, and whose variables lead astray."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from samples.tflite import Design, flatbuffer, i32, u32

from hostile.building import attack, write

HUGE = 2**31 - 1


def _of_root(folder: Path, root: dict[int, Any]) -> Path:
    return write(folder, flatbuffer(root), "hostile.tflite")


def _calling(folder: Path, bodies: list[tuple[int, int]], calls: int = 1, wide: int = 0) -> Path:
    """Graphs of branches alone; ``bodies``: which ones each graph calls, the model's own first."""
    graphs = []
    design = Design()
    for then, other in bodies:
        graph = design.another() if graphs else design
        c, x = graph.tensor((), 6), graph.tensor((1, 4))
        for _ in range(wide):
            graph.tensor((1, 4))
        for _ in range(calls if (then, other) != (0, 0) else 0):
            y = graph.tensor((1, 4))
            graph.operator("IF", [c, c, x], [y], {0: i32(then), 1: i32(other)})
            x = y
        graphs.append(graph.graph([0, 1], [x]))
    return _of_root(folder, {0: u32(3), 1: design.codes, 2: graphs, 4: design.buffers})


@attack("calls graph 7, which the file does not have")
def tflite_branch_that_is_missing(folder: Path) -> Path:
    return _calling(folder, [(1, 7), (0, 0)])


@attack("calls graph -1, which the file does not have")
def tflite_branch_of_a_negative_place(folder: Path) -> Path:
    return _calling(folder, [(1, -1), (0, 0)])


@attack("graph 1 calls itself")
def tflite_branch_that_calls_itself(folder: Path) -> Path:
    return _calling(folder, [(1, 1), (1, 1)])


@attack("graph 0 calls itself")
def tflite_branch_that_is_the_model(folder: Path) -> Path:
    return _calling(folder, [(1, 1), (2, 1), (0, 1)])


@attack("nested more than 32 deep")
def tflite_a_thousand_nested_branches(folder: Path) -> Path:
    return _calling(folder, [(i + 1, i + 1) for i in range(998)] + [(0, 0)])


@attack("unfold to more than")
def tflite_branches_that_double_thirty_times(folder: Path) -> Path:
    return _calling(folder, [(i + 1, i + 1) for i in range(30)] + [(0, 0)])


@attack("unfold to more than")
def tflite_a_large_branch_that_is_called_a_thousand_times(folder: Path) -> Path:
    return _calling(folder, [(1, 1), (0, 0)], calls=1000, wide=40_000)


@attack("hands on what graph 1 does not take")
def tflite_branch_of_other_inputs(folder: Path) -> Path:
    design = Design()
    c, y, body = design.tensor((), 6), design.tensor((1, 4)), design.another()
    design.operator("IF", [c], [y], {0: i32(1), 1: i32(1)})
    x = body.tensor((1, 4))
    return _of_root(folder, design.root([c], [y], [body.graph([x], [x])]))


@attack("feature maps of different ranks")
def tflite_branch_of_another_rank(folder: Path) -> Path:
    design = Design()
    c, x, y = design.tensor((), 6), design.tensor((4,)), design.tensor((1, 4, 4, 4))
    weight = design.constant(np.ones((4, 1, 1, 4), np.float32))
    design.operator("IF", [c, x, weight], [y], {0: i32(1), 1: i32(1)})
    body = design.another()
    a, w, b = (body.tensor(shape) for shape in ((1, 4, 4, 4), (4, 1, 1, 4), (1, 4, 4, 4)))
    body.operator("CONV_2D", [a, w], [b], {})
    return _of_root(folder, design.root([c, x], [y], [body.graph([a, w], [b])]))


@attack("written twice")
def tflite_branch_that_writes_its_inputs(folder: Path) -> Path:
    design = Design()
    c, x, y = design.tensor((), 6), design.tensor((1, 4)), design.tensor((1, 4))
    design.operator("IF", [c, x], [y], {0: i32(1), 1: i32(1)})
    body = design.another()
    a = body.tensor((1, 4))
    body.operator("RELU", [a], [a])
    return _of_root(folder, design.root([c, x], [y], [body.graph([a], [a])]))


def _variables(folder: Path, *operators: tuple[str, list[int], list[int]]) -> Path:
    """A variable's handle, 0, the input, 1, further tensors, and the output, 4."""
    design = Design()
    design.tensor((), 13)
    for _ in range(4):
        design.tensor((1, 4))
    design.operator("VAR_HANDLE", [], [0], {1: "s"})
    for op, inputs, outputs in operators:
        design.operator(op, inputs, outputs)
    return _of_root(folder, design.root([1], [4]))


@attack("")
def tflite_variable_that_is_never_set(folder: Path) -> Path:
    return _variables(folder, ("READ_VARIABLE", [0], [2]), ("ADD", [1, 2], [4]))


@attack("")
def tflite_variable_of_no_handle(folder: Path) -> Path:
    return _variables(folder, ("READ_VARIABLE", [3], [2]), ("ADD", [1, 2], [4]))


@attack("reads 0 variables")
def tflite_reading_of_no_variable(folder: Path) -> Path:
    return _variables(folder, ("READ_VARIABLE", [], [2]), ("ADD", [1, 2], [4]))


@attack("too few")
def tflite_assignment_of_nothing(folder: Path) -> Path:
    return _variables(folder, ("ASSIGN_VARIABLE", [0], []), ("RELU", [1], [4]))


@attack("nothing writes")
def tflite_assignment_of_what_nothing_writes(folder: Path) -> Path:
    assign, read = ("ASSIGN_VARIABLE", [0, 3], []), ("READ_VARIABLE", [0], [2])
    return _variables(folder, assign, read, ("ADD", [1, 2], [4]))


@attack("written twice")
def tflite_variable_read_into_what_is_written(folder: Path) -> Path:
    return _variables(folder, ("RELU", [1], [4]), ("READ_VARIABLE", [0], [4]))


@attack("CALL_ONCE calls graph 9")
def tflite_first_run_that_is_missing(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4)), design.tensor((1, 4))
    design.operator("CALL_ONCE", [], [], {0: i32(9)})
    design.operator("RELU", [x], [y])
    return _of_root(folder, design.root([x], [y]))


@attack("")
def tflite_first_run_that_is_the_model(folder: Path) -> Path:
    once = ("CALL_ONCE", [], [])
    return _variables(folder, once, ("ASSIGN_VARIABLE", [0, 1], []), ("RELU", [1], [4]))


@attack("")
def tflite_transposed_convolution_of_a_billion_steps(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4, 4, 4)), design.tensor((1, 8, 8, 4))
    weight = design.constant(np.ones((4, 1, 1, 4), np.float32))
    custom = struct.pack("<3i", 2, HUGE, HUGE)
    design.operator("Convolution2DTransposeBias", [x, weight], [y], None, custom)
    return _of_root(folder, design.root([x], [y]))
