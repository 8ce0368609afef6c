"""RIGA's mark: bits read by a drawn network, hidden from a detector while it is tuned in."""

from __future__ import annotations

import numpy as np
import pytest
from small_marks import PAYLOAD, key_for, method, stranger
from small_tasks import trained

from assay.watermarks.riga import layers
from assay.watermarks.uchida import bits, mean_kernel, signs


def test_bits_are_signs_of_a_network_s_outputs() -> None:
    made, model = method("riga"), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights["hidden.weight"].read()
    first, second = layers(key)
    mean = marked.astype(float).mean(0)
    units = [np.tanh(row @ mean / np.sqrt(mean @ mean)) for row in first]
    said = [row @ units > 0 for row in second]
    assert np.array_equal(said, bits(key))
    assert np.packbits(said).tobytes()[:8] == PAYLOAD
    # whatever the layer's scale is
    assert np.allclose(made.read(7 * mean, key), second @ units)  # type: ignore[attr-defined]


def test_the_change_is_a_descent_s_and_reaches_the_margin() -> None:
    made, model = method("riga", margin=0.3), stranger()
    key = key_for(made, model)
    mean = mean_kernel(model["hidden.weight"].read())
    moved = mean + made.change(mean, key)  # type: ignore[attr-defined]
    outputs = signs(key) * made.read(moved, key)  # type: ignore[attr-defined]
    assert outputs.min() > 0
    before = signs(key) * made.read(mean, key)  # type: ignore[attr-defined]
    assert (before < 0).sum() > 20
    step, near = 1e-6, []
    for axis in (0, 5):  # derivatives against differences
        each = np.zeros_like(mean)
        each[axis] = step
        up, down = (made.read(mean + sign * each, key) for sign in (1, -1))  # type: ignore[attr-defined]
        near.append((up - down) / (2 * step))
    from assay.watermarks.riga import _read

    assert np.allclose(np.array(near).T, _read(mean, *layers(key))[1][:, [0, 5]], rtol=1e-4)


@pytest.mark.torch
def test_the_detector_learns_to_tell_and_is_deceived() -> None:
    torch = pytest.importorskip("torch")
    from assay.watermarks._hiding import Detector

    generator = torch.Generator().manual_seed(1)
    before = torch.randn(4000, generator=generator)
    wider = (2 * torch.randn(4000, generator=generator)).requires_grad_(True)
    detector = Detector(before, rate=1e-2, clip=0.1)
    for _ in range(60):
        detector.step(wider)
    with torch.no_grad():
        told = [float(detector.answer(each)) for each in (before, wider)]
    assert told[0] > told[1]
    spread = float(wider.detach().std())
    for _ in range(60):  # the host follows the detector's slopes: it must have some
        (slope,) = torch.autograd.grad(detector.answer(wider), [wider])
        with torch.no_grad():
            wider += 20 * slope
        detector.step(wider)
    assert float(wider.detach().std()) < spread - 0.1
    assert not any(weight.requires_grad for weight in detector.weights)


@pytest.mark.torch
def test_a_killed_tuning_would_go_on_with_its_detector() -> None:
    torch = pytest.importorskip("torch")
    from assay.watermarks._hiding import Hidden
    from assay.watermarks.riga import Riga

    made, model = Riga(), trained()
    key = key_for(made, model, payload=b"a")
    one, two = (Hidden(made, model, key) for _ in range(2))
    host = model.get_parameter(one.host)
    one.after_step(model)
    two.restore({name: each.clone() for name, each in one.tensors().items()})
    assert torch.equal(one.detector.answer(host), two.detector.answer(host))
    assert repr(one) == repr(two)
