"""One tuning of a pruned model, taken at several strengths.

A strength is a number of steps.  A step that is taken in part, such as the last of 37.5, is a step
of a smaller learning rate: weights between those before and after it.  So accuracies between those
of two steps are met, too.  After many steps only some are looked at, and what lies between two of
those is between their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.licenses._channels import Hollow, Kept, lacking, settle
from assay.running.channels import hollow
from assay.running.examples import Examples
from assay.running.modules import copy_of, on
from assay.training import Around, Training, train

EXTRA = "torch"
_RARER = 4  # a look at every step up to here, and then one whenever this share has been added
_HALVINGS = 6  # of what lies between two looks

State = dict[str, Tensor]
Judge = Callable[[nn.Module], float]


class Strengths:
    """A pruned model, and what it becomes while it is tuned."""

    def __init__(self, pruned: nn.Module, data: Examples, training: Training, seed: int) -> None:
        """Prepare a tuning.

        Args:
            pruned: Channels that it lacks are zero, and stay so; it stays as it is.
            data: To tune on, and to take running statistics of.
            training: By which it is tuned; no further than is asked for.
            seed: Of the order of examples.

        Raises:
            BadData: the examples do not fit the model.
        """
        self.pruned, self.data, self.training, self.seed = pruned, data, training, seed
        self.kept: Kept = lacking(pruned, on(pruned, data.inputs[:2]))

    def at(self, strengths: Sequence[float]) -> list[nn.Module]:
        """The model after so many steps each; a strength of zero is not tuned at all.

        Raises UnfitModel where the training ends before.
        """
        found: dict[float, nn.Module] = {0.0: self._made(self.pruned.state_dict())}
        left = sorted({*strengths} - {*found})

        def look(first: int, before: State, last: int, after: State) -> bool:
            while left and left[0] <= last:
                share = (left[0] - first) / (last - first)
                found[left.pop(0)] = self._made(_between(before, after, share))
            return not left

        if left and not self._tune(look):
            raise UnfitModel(
                f"the training ends before step {left[0]:g}: set training.epochs, or fewer steps"
            )
        return [found[strength] for strength in strengths]

    def reaching(self, levels: Sequence[float], judge: Judge) -> list[tuple[float, nn.Module]]:
        """The least strength at which the model has each accuracy, or more, and the model there.

        Args:
            levels: Falling.
            judge: The accuracy of a module.

        Raises:
            UnfitModel: it has one before it is tuned, or never.
        """
        found: list[tuple[float, nn.Module]] = []
        most = judge(self._made(self.pruned.state_dict()))
        if levels and levels[-1] <= most:
            raise UnfitModel(
                f"{levels[-1]:g} is no level: the pruned model has {most:.4f} without any tuning"
            )

        def look(first: int, before: State, last: int, after: State) -> bool:
            nonlocal most
            here = judge(self._made(after))
            most = max(most, here)
            while len(found) < len(levels) and here >= (level := levels[-1 - len(found)]):
                found.append(self._crossing(level, judge, first, before, last, after))
            return len(found) == len(levels)

        if levels and not self._tune(look):
            raise UnfitModel(
                f"{levels[-1 - len(found)]:g} was not reached: tuning brought the model to"
                f" {most:.4f}; set training.epochs or its rate, a smaller rate, or other levels"
            )
        return found[::-1]

    def _crossing(
        self, level: float, judge: Judge, first: int, before: State, last: int, after: State
    ) -> tuple[float, nn.Module]:
        """Where, between two looks, a level is reached: it is not before, and is after."""
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if judge(self._made(_between(before, after, middle))) >= level:
                high = middle
            else:
                low = middle
        return first + high * (last - first), self._made(_between(before, after, high))

    def _tune(self, look: Callable[[int, State, int, State], bool]) -> bool:
        """Tune, with a look at two states now and then, until there is enough: whether there is."""
        module = copy_of(self.pruned)
        watched = _Watched(Hollow(self.kept), module, look)
        try:
            train(module, self.data, self.training, objective=watched, seed=self.seed)
            watched.show(module)  # what is left since the last look
        except _EnoughError:
            return True
        return False

    def _made(self, state: State) -> nn.Module:
        """A module of these tensors, with running statistics of its own."""
        module = copy_of(self.pruned)
        module.load_state_dict(state)
        hollow(module, self.kept)
        settle(module, self.data.inputs)
        hollow(module, self.kept)
        return module


class _EnoughError(Exception):
    """Ends a training within an epoch."""


class _Watched(Around):
    """An objective that shows what a training has made since the last look."""

    def __init__(
        self, objective: Hollow, start: nn.Module, look: Callable[[int, State, int, State], bool]
    ) -> None:
        super().__init__(objective)
        self.look, self.step, self.next = look, 0, 1
        self.last, self.before = 0, _state(start)

    def after_step(self, module: nn.Module) -> None:
        super().after_step(module)
        self.step += 1
        if self.step == self.next:
            self.show(module)

    def show(self, module: nn.Module) -> None:
        """Look at a module, if a step was taken since the last time."""
        if self.step == self.last:
            return
        after = _state(module)
        if self.look(self.last, self.before, self.step, after):
            raise _EnoughError
        self.last, self.before = self.step, after
        self.next = self.step + max(1, self.step // _RARER)


def _state(module: nn.Module) -> State:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _between(before: State, after: State, share: float) -> State:
    """Weights between two states; what is counted is as it was after."""
    return {
        name: before[name].lerp(tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in after.items()
    }


def steps_of(training: Training, examples: int) -> int:
    """How many steps an epoch has, of so many examples."""
    used = examples if not training.patience else examples - round(training.held_out * examples)
    used = max(1, used)  # where none stays, training says so
    size = min(training.batch, used)
    return used // size + (used % size > 1)


def long_enough(training: Training, steps: float, examples: int) -> int:
    """Epochs that a training needs for so many steps; no fewer than it has."""
    return max(training.epochs, int(np.ceil(steps / steps_of(training, examples))))
