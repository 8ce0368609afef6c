"""The canonical layout of a weight, decided by its reader: held against computing with it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hostile import building
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from assay.formats import read
from assay.weights import Weight
from assay.weights.layout import Weights, row_major

RNG = np.random.default_rng(0)


def weight(folder: Path, text: str, values: dict[str, np.ndarray], opset: int = 17) -> Weight:
    """The weight w of a graph that is given as text; ``values`` become its initializers."""
    model = building.model(text, opset)
    for key, array in values.items():
        model.graph.initializer.append(numpy_helper.from_array(array, key))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return read(path).weights["w"]


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


MATRICES = {
    "y = MatMul(x, w)": ((4, 6), lambda w: w.T),
    "y = MatMul(w, x)": ((4, 6), lambda w: w),
    "y = Gemm(x, w)": ((4, 6), lambda w: w.T),
    "y = Gemm<transB = 1>(x, w)": ((6, 4), lambda w: w),
    "y = Gemm<transA = 1>(w, x)": ((4, 6), lambda w: w.T),
    "t = Transpose<perm = [1, 0]>(w) y = MatMul(x, t)": ((6, 4), lambda w: w),
    "t = Identity(w) u = Cast<to = 1>(t) y = MatMul(x, u)": ((4, 6), lambda w: w.T),
    "y = Gather<axis = 0>(w, i)": ((4, 6), lambda w: w),
    "t = Transpose(w) u = Gather(w, i) y = MatMul(x, t)": ((6, 4), lambda w: w),
}


@pytest.mark.parametrize("nodes", MATRICES)
def test_a_matrix_is_output_by_input(nodes: str, tmp_path: Path) -> None:
    shape, expected = MATRICES[nodes]
    values = floats(*shape)
    text = f"g (float[?, ?] x, int64[2] i) => (float[?, ?] y) {{ {nodes} }}"
    found = weight(tmp_path, text, {"w": values})
    assert found.canonical
    assert found.shape == expected(values).shape
    np.testing.assert_array_equal(found.read(), expected(values))


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_a_transposed_convolution_is_a_convolution_of_the_stuffed_input(
    groups: int, tmp_path: Path
) -> None:
    values = floats(6, 4, 3, 3)
    node = f"y = ConvTranspose<group = {groups}>(x, w)"
    text = f"g (float[1, 6, 5, 5] x) => (float[?, ?, ?, ?] y) {{ {node} }}"
    found = weight(tmp_path, text, {"w": values})
    assert found.canonical
    assert found.shape == (4 * groups, 6 // groups, 3, 3)
    x, each = floats(1, 6, 5, 5), 6 // groups
    parts = [slice(g * each, (g + 1) * each) for g in range(groups)]
    first = [run("y = ConvTranspose(x, w)", x[:, part], values[part]) for part in parts]
    turned = np.ascontiguousarray(found.read()[:, :, ::-1, ::-1])
    second = run(f"y = Conv<group = {groups}, pads = [2, 2, 2, 2]>(x, w)", x, turned)
    np.testing.assert_allclose(np.concatenate(first, 1), second, rtol=1e-4, atol=1e-4)


def run(node: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """By the reference evaluator; it knows no groups of transposed convolutions."""
    text = f"g (float[?, ?, ?, ?] x, float[?, ?, ?, ?] w) => (float[?, ?, ?, ?] y) {{ {node} }}"
    result: np.ndarray = ReferenceEvaluator(building.model(text)).run(None, {"x": x, "w": w})[0]
    return result


def test_a_convolution_that_is_reshaped_and_quantized_is_its_real_kernel(tmp_path: Path) -> None:
    codes = RNG.integers(-128, 128, (4, 27), dtype=np.int8)
    scale, zero = np.abs(floats(4)), RNG.integers(-9, 9, 4, dtype=np.int8)
    text = """g (float[1, 3, 8, 8] x) => (float[?, ?, ?, ?] y) {
        t = DequantizeLinear<axis = 0>(w, s, z)
        u = Reshape(t, to)
        y = Conv(x, u)
    }"""
    constants = {"w": codes, "s": scale, "z": zero, "to": np.array([4, -1, 3, 3])}
    found = weight(tmp_path, text, constants)
    assert (found.canonical, found.dtype, found.shape) == (True, "int8", (4, 3, 3, 3))
    real = (codes.astype(np.float32) - zero[:, None]) * scale[:, None]
    np.testing.assert_allclose(found.read(), real.reshape(4, 3, 3, 3), rtol=1e-6)
    assert set(read(tmp_path / "model.onnx").weights) == {"w"}, "scales are no weights"


def test_weights_that_the_graph_itself_quantizes_are_taken_before(tmp_path: Path) -> None:
    values = floats(4, 6)
    text = """g (float[?, 4] x) => (float[?, 6] y) {
        q = QuantizeLinear(w, s)
        t = DequantizeLinear(q, s)
        y = MatMul(x, t)
    }"""
    found = weight(tmp_path, text, {"w": values, "s": np.array(0.1, np.float32)})
    np.testing.assert_array_equal(found.read(), values.T)


@pytest.mark.parametrize(
    ("op", "gates", "order"), [("LSTM", 4, [0, 2, 3, 1]), ("GRU", 3, [1, 0, 2])]
)
def test_gates_are_in_the_order_of_other_frameworks(
    op: str, gates: int, order: list[int], tmp_path: Path
) -> None:
    values = floats(1, gates * 5, 7)
    text = f"""g (float[2, 1, 7] x, float[1, {gates * 5}, 5] r) => (float[?, ?, ?, ?] y) {{
        y = {op}<hidden_size = 5>(x, w, r)
    }}"""
    found = weight(tmp_path, text, {"w": values})
    blocks = values[0].reshape(gates, 5, 7)[order]
    np.testing.assert_array_equal(found.read(), blocks.reshape(gates * 5, 7))


def test_gates_that_the_exporter_regroups_come_back_as_they_were(tmp_path: Path) -> None:
    values = floats(8, 3)  # i f c o, two rows each
    text = """g (float[2, 1, 3] x, float[1, 8, 2] r) => (float[?, ?, ?, ?] y) {
        a = Slice(w, n0, n2, n0)
        b = Slice(w, n6, n8, n0)
        c = Slice(w, n2, n6, n0)
        t = Concat<axis = 0>(a, b, c)
        u = Unsqueeze(t, n0)
        y = LSTM<hidden_size = 2>(x, u, r)
    }"""
    numbers = {f"n{n}": np.array([n]) for n in (0, 2, 6, 8)}
    found = weight(tmp_path, text, {"w": values, **numbers})
    assert found.canonical
    np.testing.assert_array_equal(found.read(), values)


def test_readers_that_disagree_leave_a_weight_as_it_is_stored(tmp_path: Path) -> None:
    values = floats(4, 4)
    text = "g (float[4, 4] x) => (float[4, 4] y) { t = MatMul(x, w) y = MatMul(w, t) }"
    found = weight(tmp_path, text, {"w": values})
    assert not found.canonical
    np.testing.assert_array_equal(found.read(), values)


def test_a_weight_that_no_known_operator_reads_is_as_it_is_stored(tmp_path: Path) -> None:
    values = floats(4, 6)
    text = "g (float[4, 6] x) => (float[4, 6] y) { y = Add(x, w) }"
    found = weight(tmp_path, text, {"w": values})
    assert not found.canonical
    np.testing.assert_array_equal(found.read(), values)


def test_indices_and_shapes_are_no_weights(tmp_path: Path) -> None:
    text = "g (float[4, 6] x) => (float[?, ?] y) { t = Reshape(x, s) y = MatMul(t, w) }"
    weight(tmp_path, text, {"w": floats(6, 2), "s": np.array([4, 6])})
    assert set(read(tmp_path / "model.onnx").weights) == {"w"}


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zero", ["packed", "float", "none"])
def test_a_matrix_of_packed_blocks_is_its_real_values(bits: int, zero: str, tmp_path: Path) -> None:
    rows, columns, block, blocks = 6, 40, 16, 3  # the last block is not full
    codes = RNG.integers(0, 2**bits, (rows, blocks * block))
    scale = np.abs(floats(rows * blocks))
    middles = np.full((rows, blocks), 2 ** (bits - 1))
    constants = {"w": packed(codes, bits).reshape(rows, blocks, -1), "s": scale}
    if zero != "none":
        middles = RNG.integers(0, 2**bits, (rows, blocks))
        wide = np.pad(middles, ((0, 0), (0, -blocks % (8 // bits))))
        is_float = zero == "float"
        constants["z"] = middles.astype("f4").reshape(-1) if is_float else packed(wide, bits)
    given = "x, w, s, z" if zero != "none" else "x, w, s"
    options = f"K = {columns}, N = {rows}, bits = {bits}, block_size = {block}"
    node = f"y = com.microsoft.MatMulNBits<{options}>({given})"
    text = f"g (float[2, {columns}] x) => (float[?, ?] y) {{ {node} }}"
    found = weight(tmp_path, text, constants)
    assert (found.canonical, found.shape) == (True, (rows, columns))
    steps = np.repeat(scale.reshape(rows, blocks), block, 1)
    real = (codes - np.repeat(middles, block, 1)) * steps
    np.testing.assert_allclose(found.read(), real[:, :columns], rtol=1e-6)
    assert set(read(tmp_path / "model.onnx").weights) == {"w"}


def packed(codes: np.ndarray, bits: int) -> np.ndarray:
    """Rows of small numbers as bytes, the first number in the lowest bits."""
    each = 8 // bits
    parts = codes.reshape(codes.shape[0], -1, each) << (np.arange(each) * bits)
    return parts.sum(-1).astype(np.uint8)


def test_packed_blocks_come_back_as_they_were(tmp_path: Path) -> None:
    codes, scale = RNG.integers(0, 16, (6, 48)), np.abs(floats(18))
    constants = {"w": packed(codes, 4).reshape(6, 3, -1), "s": scale}
    node = "y = com.microsoft.MatMulNBits<K = 48, N = 6, bits = 4, block_size = 16>(x, w, s)"
    text = f"g (float[2, 48] x) => (float[?, ?] y) {{ {node} }}"
    values = weight(tmp_path, text, constants).read()
    weights = read(tmp_path / "model.onnx").weights
    assert isinstance(weights, Weights)
    np.testing.assert_array_equal(weights.as_stored("w", values), constants["w"])


@pytest.mark.parametrize("bias", [True, False])
def test_a_scale_that_comes_behind_the_product_is_the_weights(bias: bool, tmp_path: Path) -> None:
    codes, scale = RNG.integers(0, 255, (4, 6), dtype=np.uint8), np.array(0.25, np.float32)
    added, total = ("t = Add(q, b)", "t") if bias else ("", "q")
    text = f"""g (float[?, ?] x) => (float[?, ?] y) {{
        a, sa, za = DynamicQuantizeLinear(x)
        q = MatMulInteger(a, w, za, z)
        {added}
        c = Cast<to = 1>({total})
        p = Mul(sa, s)
        y = Mul(c, p)
    }}"""
    zero = np.array(100, np.uint8)
    constants = {"w": codes, "s": scale, "z": zero, "b": np.zeros(6, np.int32)}
    found = weight(tmp_path, text, constants)
    assert (found.canonical, found.shape) == (True, (6, 4))
    np.testing.assert_allclose(found.read(), (codes.astype("f4") - 100).T * 0.25)


@st.composite
def ways(draw: st.DrawFn) -> tuple[list[str], tuple[int, ...]]:
    """Operators that rearrange w into t, a matrix, and the shape of w."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    steps, now, name = [], shape, "w"
    for place in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["Transpose", "Reshape", "Unsqueeze", "Squeeze", "Identity"]))
        if kind == "Transpose" and now:
            axes = draw(st.permutations(range(len(now))))
            step, now = f"Transpose<perm = {list(axes)}>({name})", tuple(now[a] for a in axes)
        elif kind == "Reshape":
            cut = draw(st.integers(0, len(now)))
            now = (math.prod(now[:cut]), math.prod(now[cut:]))
            step = f"Flatten<axis = {cut}>({name})"
        elif kind == "Unsqueeze":
            axis = draw(st.integers(0, len(now)))
            step, now = f"Unsqueeze<axes = [{axis}]>({name})", (*now[:axis], 1, *now[axis:])
        elif kind == "Squeeze" and 1 in now:
            axis = now.index(1)
            step, now = f"Squeeze<axes = [{axis}]>({name})", (*now[:axis], *now[axis + 1 :])
        else:
            step = f"Identity({name})"
        name = f"t{place}"
        steps.append(f"{name} = {step}")
    steps.append(f"t = Flatten<axis = {draw(st.integers(0, len(now)))}>({name})")
    return steps, shape


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(way=ways())
def test_a_weight_is_what_its_reader_multiplies_with(
    way: tuple[list[str], tuple[int, ...]], tmp_path: Path
) -> None:
    steps, shape = way
    values = RNG.standard_normal(shape).astype(np.float32)
    body = " ".join(steps)
    text = f"g (float[?, ?] x) => (float[?, ?] y) {{ {body} y = MatMul(x, t) }}"
    found = weight(tmp_path, text, {"w": values}, opset=11)
    result = f"g (float[{', '.join(map(str, shape))}] w) => (float[?, ?] t) {{ {body} }}"
    (t,) = ReferenceEvaluator(building.model(result, 11)).run(None, {"w": values})
    np.testing.assert_array_equal(found.read(), t.T)
    weights = read(tmp_path / "model.onnx").weights
    assert isinstance(weights, Weights)
    np.testing.assert_array_equal(weights.as_stored("w", found.read()), values)


def test_a_matrix_is_not_copied_to_be_turned(tmp_path: Path) -> None:
    text = "g (float[?, ?] x) => (float[?, ?] y) { y = MatMul(x, w) }"
    assert weight(tmp_path, text, {"w": floats(40, 60)}).read().T.flags.c_contiguous


@given(data=st.data())
def test_any_order_of_axes_becomes_row_major(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from([0, 1, 2, 16, 17, 40]), max_size=4))
    stored = np.arange(math.prod(sizes), dtype=np.float32).reshape(sizes)
    turned = stored.transpose(data.draw(st.permutations(range(len(sizes)))))
    found = row_major(turned)
    assert found.flags.c_contiguous
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, turned)
