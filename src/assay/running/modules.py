"""What is done with any torch module: run, judge, identify, initialize it anew."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import BadData, UnfitModel
from assay.running.examples import Array, Examples

EXTRA = "torch"
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
WEIGHTED = (*CONVOLUTIONS, nn.Linear)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_WITH_MATRICES = (
    *WEIGHTED,
    *TRANSPOSED,
    nn.Embedding,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)


def digest(module: nn.Module) -> str:
    """SHA-256 of a module's tensors by name, with their types and shapes."""
    found = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if not isinstance(tensor, Tensor):
            raise UnfitModel(f"{name!r} of the model is a {type(tensor).__name__}, not a tensor")
        array = tensor.detach().cpu().contiguous()
        found.update(f"{name} {array.dtype} {tuple(array.shape)} ".encode())
        found.update(array.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def copy_of(module: nn.Module) -> nn.Module:
    """A copy that shares nothing with it, in evaluation mode; every parameter can be trained."""
    made = copy.deepcopy(module).eval()
    for parameter in made.parameters():
        parameter.grad = None
        parameter.requires_grad_(parameter.is_floating_point())
    return made


def outputs(module: nn.Module, inputs: Array, batch: int = 256) -> NDArray[np.float32]:
    """What a module answers, (n, …), in evaluation mode; it is left as it was."""
    answers = []
    with evaluating(module), torch.no_grad():
        for start in range(0, len(inputs), batch):
            answers.append(answer(module, on(module, inputs[start : start + batch])).cpu())
    found: NDArray[np.float32] = torch.cat(answers).float().numpy()
    return found


def answer(module: nn.Module, inputs: Tensor) -> Tensor:
    """A module's output, or the first of several.  Raises BadData where the inputs do not fit."""
    try:
        found = module(inputs)
    except (RuntimeError, IndexError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        shape = list(inputs.shape)
        raise BadData(f"the model cannot be run on inputs of shape {shape}: {reason}") from error
    first = found[0] if isinstance(found, tuple | list) else found
    if not isinstance(first, Tensor):
        raise UnfitModel(f"the model's output is a {type(first).__name__}, not a tensor")
    return first


def cross_entropy(module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """The mean cross entropy of a module's outputs (n, classes), with labels (n,).

    Raises BadData where a label has no output.
    """
    answers = answer(module, inputs)
    most = int(labels.max())
    if answers.dim() != 2 or most >= answers.shape[1]:
        raise BadData(f"outputs of shape {list(answers.shape)} do not fit labels up to {most}")
    return nn.functional.cross_entropy(logits(answers), labels)


def logits(answers: Tensor) -> Tensor:  # (b, c) -> (b, c)
    """Answers up to a constant of each row; of a model that ends in a softmax, their logarithm.

    Those of 16 bits become float32: a loss of them would have three digits.
    """
    if answers.dtype in (torch.float16, torch.bfloat16):
        answers = answers.float()
    sums = answers.detach().sum(1)
    if bool((answers.detach() >= 0).all()) and torch.allclose(sums, torch.ones_like(sums)):
        return answers.clamp_min(torch.finfo(answers.dtype).tiny).log()
    return answers


def accuracy(module: nn.Module, examples: Examples) -> float:
    """The share of examples whose largest output is their label's, 0 … 1."""
    return accuracies(module, examples, (1,))[0]


def accuracies(module: nn.Module, examples: Examples, tops: Sequence[int]) -> list[float]:
    """The share of examples whose label is among the ``top`` largest outputs, for each.

    Those of which there are no more outputs than that are left out.
    """
    answers = outputs(module, examples.inputs)
    if answers.ndim != 2:
        raise UnfitModel(f"outputs of shape {list(answers.shape)} are not (n, classes)")
    labels = examples.known_labels
    if [*tops] == [1]:
        return [float((answers.argmax(1) == labels).mean())]
    right = np.argsort(-answers, axis=1, kind="stable") == labels[:, None]  # (n, classes)
    return [float(right[:, :top].any(1).mean()) for top in tops if top < answers.shape[1]]


def on(module: nn.Module, array: Array) -> Tensor:
    """An array as a tensor where the module is."""
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode; afterwards every part is in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def weighted(module: nn.Module) -> dict[str, nn.Module]:
    """Convolutions and linear layers by name, in the order of their definition.

    Raises UnfitModel where there is none.
    """
    found = {name: part for name, part in module.named_modules() if isinstance(part, WEIGHTED)}
    if not found:
        raise UnfitModel("the model has no convolution and no linear layer")
    return found


def matrices(module: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """What has two axes or more in convolutions, linear and recurrent layers and embeddings.

    By the parameter's name: its layer, and its name in that.  Biases and normalization are not
    among them, nor is a weight that is computed from something else.
    """
    return {
        f"{path}.{name}" if path else name: (layer, name)
        for path, layer in module.named_modules()
        if isinstance(layer, _WITH_MATRICES)
        for name, parameter in layer.named_parameters(recurse=False)
        if parameter.dim() > 1
    }


def weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """Those of ``matrices`` by name.  Raises UnfitModel where there is none."""
    found = {path: getattr(layer, name) for path, (layer, name) in matrices(module).items()}
    if not found:
        raise UnfitModel("the model has no convolution, linear or recurrent layer")
    return found


def untied(module: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """Those of ``matrices``.  Raises UnfitModel where two layers have one weight, or there is none.

    What is stored in another way in one of them would be another weight than the other's.
    """
    names: dict[int, str] = {}
    for path, weight in weights(module).items():
        other = names.setdefault(id(weight), path)
        if other != path:
            raise UnfitModel(f"{other} and {path} are one weight: give each layer its own first")
    return matrices(module)


def head(module: nn.Module, inputs: Array) -> tuple[str, nn.Module]:
    """The layer whose output channels are the model's outputs, found by running it; and its name.

    Turned round in that layer's output, the channels must come out turned round.

    Args:
        module: In evaluation mode.
        inputs: (n, …), a few.

    Raises:
        UnfitModel: no layer is like that, or its weights are used in two places.
    """
    layers, called = weighted(module), list[str]()
    hooks = [
        layer.register_forward_hook(lambda *_, name=name: called.append(name))
        for name, layer in layers.items()
    ]
    answers = outputs(module, inputs)
    for hook in hooks:
        hook.remove()
    for name in reversed(called):
        layer = layers[name]
        if layer.weight.shape[0] != answers.shape[-1] or not _turns(module, layer, inputs, answers):
            continue
        held = module.named_parameters(remove_duplicate=False)
        if called.count(name) > 1 or sum(each is layer.weight for _, each in held) > 1:
            raise UnfitModel(f"the last layer, {name}, has weights that are used twice")
        return name, layer
    raise UnfitModel("no convolution or linear layer gives the model's outputs as they are")


def _turns(module: nn.Module, layer: nn.Module, inputs: Array, answers: Array) -> bool:
    """Whether the model's outputs follow the order of a layer's; a single one, its value."""
    axis = -1 if isinstance(layer, nn.Linear) else 1
    single = answers.shape[-1] == 1

    def change(_: nn.Module, __: object, given: Tensor) -> Tensor:
        return given + 1 if single else given.flip(axis)

    hook = layer.register_forward_hook(change)
    found = outputs(module, inputs)
    hook.remove()
    if single:
        return not np.array_equal(found, answers)
    return np.allclose(found, answers[..., ::-1], rtol=1e-4, atol=1e-6)


def replace(module: nn.Module, name: str, new: nn.Module) -> None:
    """Put ``new`` where the part called ``name`` is.  Raises UnfitModel where that is the whole."""
    if not name:
        raise UnfitModel("the model is a single layer: there is nothing around it to keep")
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, new)


def reset(module: nn.Module, seed: int) -> None:
    """Initialize every parameter anew, as its layer does by default.

    Parameters outside such layers are drawn as a linear layer's are, and ones of one axis are
    left: they are scales or positions.
    """
    with seeded(seed), torch.no_grad():
        fresh: set[int] = set()
        for part in module.modules():
            renew = getattr(part, "reset_parameters", None) or getattr(
                part, "_reset_parameters", None
            )
            if callable(renew):
                renew()
                fresh |= {id(parameter) for parameter in part.parameters(recurse=False)}
        for parameter in module.parameters():
            if id(parameter) not in fresh and parameter.dim() > 1:
                bound = parameter[0].numel() ** -0.5
                parameter.uniform_(-bound, bound)


def seed_of(*words: object) -> int:
    """A seed that only these words give: of two purposes, draws are never the same."""
    return int.from_bytes(hashlib.sha256(" ".join(map(str, words)).encode()).digest()[:6])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generator at ``seed``; afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Torch on so many threads, without subnormal numbers, which are slow and mean nothing here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
