"""Networks on memristor crossbars: how many arrays, what these cost, what they compute.

[Yuan et al., ISLPED 2019.]  A layer is a matrix of filters and columns.  Columns lie on word lines,
filters on bit lines; a positive and a negative array hold its signs, and arrays of more bits hold
its magnitudes.  Everything here is NumPy, and knows layers as matrices only.
"""

from assay.crossbars.cells import Cell, Mapped, effective, largest_level, mapped, slices
from assay.crossbars.costs import Components, Cost, cost
from assay.crossbars.flaws import Flaws, flawed
from assay.crossbars.readout import Converters, column_sums_of, multiply
from assay.crossbars.tiles import Counts, Crossbar, dense, matrix, strips, tiled, tiled_mask

__all__ = [
    "Cell", "Components", "Converters", "Cost", "Counts", "Crossbar", "Flaws", "Mapped",
    "column_sums_of", "cost", "dense", "effective", "flawed", "largest_level", "mapped", "matrix",
    "multiply", "slices", "strips", "tiled", "tiled_mask",
]  # fmt: skip
