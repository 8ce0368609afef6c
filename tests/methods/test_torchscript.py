"""TorchScript archives: their tensors by the names of their attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hostile.pickles import dictionary, script_file, sound, tensor

from assay.errors import UnreadableModel
from assay.formats import HEAD
from assay.formats.torch_pickle import TorchPickle
from assay.formats.torchscript import Torchscript

MODULE = b"c__torch__.module\nNet\n)\x81" + dictionary(
    ("training", b"\x89"),
    ("conv", b"c__torch__.nn\nConv\n)\x81" + dictionary(("weight", tensor())) + b"b"),
)


def test_tensors_have_the_names_of_their_attributes(tmp_path: Path) -> None:
    model = Torchscript().read(script_file(tmp_path, MODULE + b"b"), {})
    assert model.layers is None
    reason = "not read: __torch__.module.Net has no forward"
    assert model.metadata == {"producer": "TorchScript", "graph": reason}
    values = model.weights["conv.weight"].read()
    assert np.array_equal(values, np.arange(6, dtype=np.float32).reshape(2, 3))


def test_a_state_dict_is_no_torchscript_archive(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="no code"):
        Torchscript().read(sound(tmp_path), {})


def test_members_tell_the_formats_apart_not_suffixes(tmp_path: Path) -> None:
    state = sound(tmp_path).read_bytes()[:HEAD]
    script = script_file(tmp_path, MODULE + b"b", "module.pt").read_bytes()[:HEAD]
    sniffed = [(TorchPickle().sniff(head), Torchscript().sniff(head)) for head in (state, script)]
    assert sniffed == [(True, False), (False, True)]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_values_are_those_that_torch_loads(tmp_path: Path) -> None:
    import torch
    from torch import nn

    net = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    path = tmp_path / "net.pt"
    torch.jit.save(net, path)
    weights = Torchscript().read(path, {}).weights
    wanted = {name: v for name, v in net.state_dict().items() if v.is_floating_point()}
    assert weights.keys() == wanted.keys()
    for name, value in wanted.items():
        assert np.array_equal(weights[name].read(), value.numpy())


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_constants_of_a_frozen_module_are_weights_too(tmp_path: Path) -> None:
    import torch
    from torch import nn

    conv = nn.Conv2d(3, 4, 3).eval()
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.freeze(torch.jit.trace(conv, torch.ones(1, 3, 8, 8))), path)
    values = [weight.read() for weight in Torchscript().read(path, {}).weights.values()]
    wanted = conv.weight.detach().numpy()
    assert any(v.shape == wanted.shape and np.array_equal(v, wanted) for v in values)
