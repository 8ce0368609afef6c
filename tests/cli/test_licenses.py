"""``license``: issue, key, activate, inspect, from end to end; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_files import save_examples, save_network
from small_tasks import SHAPE, squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from assay.errors import UnfitModel  # noqa: E402
from assay.formats import read  # noqa: E402
from assay.running.modules import accuracy, copy_of  # noqa: E402
from assay.running.network import network  # noqa: E402
from assay.zoo.datasets import load  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

Run = Callable[..., Any]
ISSUE = (
    "--data", "data.npz", "--levels", "0.85,0.6", "--set", "tolerance=0.02", "--set",
    "recalibrate=false", "--owner-key", "ann.key", "--json",
)  # fmt: skip


@pytest.fixture
def house(run: Run) -> Run:
    """Ann, who has a trained network and examples; Bob and Eve, who have keys."""
    save_network("vgg", "model.onnx")
    save_examples("data.npz", squares(600, 2))
    for name, kind in (("ann", "owner"), ("bob", "licensee"), ("eve", "licensee")):
        assert run("key", "new", f"{name}.key", "--kind", kind).status == 0
    return run


def issue(run: Run, model: str = "model.onnx", output: str = "out.onnx", *more: str) -> Any:
    (found,) = run("license", "issue", model, "--output", output, *ISSUE, *more).json
    return found


KEPT: dict[str, bytes] = {}  # files of a distributable, and of the keys that belong to it


@pytest.fixture
def shipped(house: Run) -> Run:
    """Ann's model is issued; that takes a second, so it is the same each time."""
    if not KEPT:
        issue(house)
        KEPT.update((file.name, file.read_bytes()) for file in Path().iterdir())
    for name, content in KEPT.items():
        Path(name).write_bytes(content)
    return house


def public(run: Run, name: str) -> str:
    (about,) = run("key", "show", f"{name}.key", "--json").json
    return str(about["public"])


def give(run: Run, level: int, model: str = "out.onnx", *more: str) -> Any:
    return run("license", "key", model, "--level", str(level), "--to", "Bob Ltd", "--public",
        public(run, "bob"), "--owner-key", "ann.key", "--output", "bob.license", *more)  # fmt: skip


def activate(run: Run, model: str = "out.onnx", key: str = "bob.key", *more: str) -> Any:
    output = f"opened{Path(model).suffix}"
    return run("license", "activate", model, "--license", "bob.license", "--key", key, "--output",
        output, *more)  # fmt: skip


def judged(file: str) -> str:
    """The accuracy of an ONNX file's network on the examples kept for tests, as a manifest says."""
    model = read(Path(file))
    assert model.layers is not None
    return f"{accuracy(network(model.layers, model.weights), load('data.npz', 'test')):.4f}"


def test_a_model_goes_out_in_grades_and_comes_back_with_keys(shipped: Run) -> None:
    house, before = shipped, Path("model.onnx").read_bytes()
    (about,) = house("license", "inspect", "out.onnx", "--json").json
    assert about["damaged"] == []
    levels = about["levels"]
    assert len(levels) == 3
    assert [float(level["about"]["accuracy"]) for level in levels[1:]] == pytest.approx(
        [0.85, 0.6], abs=0.02
    )
    assert float(about["about"]["accuracy"]) < 0.35  # of four classes
    assert judged("out.onnx") == about["about"]["accuracy"]
    assert {p.name for p in Path().glob("out.onnx*")} == {
        "out.onnx", "out.onnx.manifest.json", "out.onnx.level-0", "out.onnx.level-1",
        "out.onnx.level-2",
    }  # fmt: skip
    for level in (0, 1, 2):
        given = give(house, level)
        assert given.out == f"level {level} for Bob Ltd, without end  (bob.license)\n"
        opened = activate(house)
        wanted = levels[level]["about"]["accuracy"]
        assert opened.out == f"level {level}, accuracy {wanted}, Bob Ltd  (opened.onnx)\n"
        assert judged("opened.onnx") == wanted
        assert (Path("opened.onnx").read_bytes() == before) == (level == 0)
    assert Path("model.onnx").read_bytes() == before
    shown = house("license", "inspect", "out.onnx")
    assert shown.status == 0
    assert shown.out.splitlines()[2].split() == ["LEVEL", "ACCURACY", "BYTES", "ABOUT"]
    assert shown.out.splitlines()[-1].startswith("no key")


def test_what_needs_no_key_is_drawn_anew_and_levels_come_back(house: Run) -> None:
    about = issue(house, "model.onnx", "out.onnx", "--hardening", "0")
    assert about["about"]["hardening"] == "0 steps"
    assert judged("out.onnx") == about["about"]["accuracy"]
    given, own = (read(Path(name)).weights for name in ("out.onnx", "model.onnx"))
    for name, weight in own.items():
        values, drawn = weight.read(), given[name].read()
        assert len({*values.flat}) == 1 or not (values == drawn).any(), name
    give(house, 0)
    assert activate(house).status == 0
    assert Path("opened.onnx").read_bytes() == Path("model.onnx").read_bytes()


def test_what_a_license_does_not_allow_is_refused_and_nothing_is_written(shipped: Run) -> None:
    house = shipped
    given = give(house, 1, "out.onnx", "--expires", "2020-01-01")
    assert (given.status, "until 2020-01-01, which has passed" in given.out) == (0, True)
    late = activate(house)
    assert (late.status, late.error) == (2, "bob.license: expired on 2020-01-01")
    assert give(house, 1).status == 0
    wrong = activate(house, "out.onnx", "eve.key")
    assert wrong.status == 2
    assert wrong.error.startswith("bob.license: is made out to 'Bob Ltd', whose public key begins")
    pinned = activate(house, "out.onnx", "bob.key", "--owner", public(house, "eve"))
    assert pinned.error.startswith("out.onnx.manifest.json: is signed by")
    issue(house, "model.onnx", "other.onnx", "--to", "Eve")
    other = activate(house, "other.onnx")
    assert other.error == "bob.license: is for another model than this"
    assert give(house, 1, "other.onnx").error == "other.onnx: the distributable is for 'Eve' alone"
    part = Path("out.onnx.level-2")
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    assert give(house, 1).status == 0
    damaged = activate(house)
    assert damaged.error == "out.onnx.level-2: is damaged, or another's: message 1"
    inspected = house("license", "inspect", "out.onnx")
    assert inspected.status == 2
    assert inspected.out.endswith("changed or missing: out.onnx.level-2\n")
    Path("bob.license").write_text("{}")
    assert activate(house).error.startswith("bob.license: is no license that can be read")
    assert not Path("opened.onnx").exists()


@pytest.mark.parametrize("graph", ["model.onnx", None])
def test_a_file_without_a_graph_is_named_one(house: Run, graph: str | None) -> None:
    state = {name: tensor.half() if tensor.is_floating_point() else tensor
             for name, tensor in trained("vgg").state_dict().items()}  # fmt: skip
    save_file(state, "model.safetensors", {"made": "by Ann"})
    arguments = ("model.safetensors", "out.safetensors", *(("--graph", graph) if graph else ()))
    if graph is None:
        answer = house("license", "issue", arguments[0], "--output", arguments[1], *ISSUE)
        assert answer.error == "model.safetensors: has no graph: say with --graph whose it is"
        return
    about = issue(house, *arguments)
    assert give(house, 0, "out.safetensors").status == 0
    assert activate(house, "out.safetensors").status == 0
    assert Path("opened.safetensors").read_bytes() == Path("model.safetensors").read_bytes()
    assert give(house, 1, "out.safetensors").status == 0
    assert activate(house, "out.safetensors").status == 0
    opened = load_file("opened.safetensors")
    assert {tensor.dtype for tensor in opened.values()} == {torch.float16, torch.int64}
    module = copy_of(trained("vgg"))
    module.load_state_dict({name: tensor.to(torch.float32) for name, tensor in opened.items()})
    found = accuracy(module, load("data.npz", "test"))
    assert f"{found:.4f}" == about["levels"][1]["about"]["accuracy"]


def test_a_network_of_the_zoo_is_a_graph_and_another_is_not(run: Run) -> None:
    from assay.cli._license_files import licensed

    module = build("vgg", SHAPE, 4, 3).eval()
    save_file(module.state_dict(), "full.safetensors")
    data = squares(20, 1)
    assert accuracy(licensed("full.safetensors", "vgg", {}, data).module, data) == accuracy(
        module, data
    )
    with pytest.raises(UnfitModel, match="is no resnet of these examples"):
        licensed("full.safetensors", "resnet", {}, data)


def test_a_weight_that_a_file_has_twice_or_otherwise_is_refused(run: Run) -> None:
    from assay.cli._license_files import Places

    module = build("vgg", SHAPE, 4, 3)
    state, name = module.state_dict(), "stage1.0.weight"
    changed = copy_of(module)
    with torch.no_grad():
        changed.get_parameter(name).zero_()

    def weights_with(**more: torch.Tensor) -> str:
        save_file({**state, **more}, "model.safetensors")
        places = Places("model.safetensors", read(Path("model.safetensors")).weights, module)
        ((found, _, values),) = places.changed(changed)
        assert not values.any()
        return found

    assert weights_with() == name
    with pytest.raises(UnfitModel, match="are the same"):
        weights_with(ema=state[name].clone())
    state[name] = state[name] + 1
    with pytest.raises(UnfitModel, match=r"holds 'stage1\.0\.weight' in another form"):
        weights_with()


def test_what_a_model_does_not_use_is_not_given_away(house: Run) -> None:
    import onnx

    model = onnx.load("model.onnx")
    copied = onnx.TensorProto()
    copied.CopyFrom(next(t for t in model.graph.initializer if len(t.dims) > 1))
    copied.name = "ema.weight"
    model.graph.initializer.append(copied)
    onnx.save(model, "more.onnx")
    model.graph.node.append(onnx.helper.make_node("Neg", ["ema.weight"], ["nowhere"]))
    onnx.save(model, "leading nowhere.onnx")
    weights = {name: weight.read() for name, weight in read(Path("more.onnx")).weights.items()}
    save_file({n: torch.from_numpy(a.copy()) for n, a in weights.items()}, "more.safetensors")
    for file, graph in (
        ("more.onnx", ()),
        ("leading nowhere.onnx", ()),
        ("more.safetensors", ("--graph", "model.onnx")),
        ("more.safetensors", ("--graph", "leading nowhere.onnx")),
    ):
        answer = house("license", "issue", file, "--output", "out.onnx", *ISSUE, *graph)
        wanted = f"{file}: holds 'ema.weight', which the model does not use: take it out"
        assert (answer.status, answer.error) == (2, wanted)


def test_no_file_of_a_distributable_is_overwritten(shipped: Run) -> None:
    house, files = shipped, [*Path().glob("out.onnx*")]
    before = [file.read_bytes() for file in files]
    assert give(house, 2).status == 0
    for file in files:
        kept = give(house, 1, "out.onnx", "--output", str(file))
        assert (kept.status, "name another file" in kept.error) == (2, True)
        opened = activate(house, "out.onnx", "bob.key", "--output", str(file))
        assert (opened.status, "name another" in opened.error) == (2, True)
    again = house("license", "issue", "model.onnx", "--output", "out.onnx", *ISSUE)
    assert (again.status, "is a distributable already" in again.error) == (2, True)
    assert [file.read_bytes() for file in files] == before


def test_a_license_is_shown_and_its_key_is_not(shipped: Run) -> None:
    house = shipped
    assert give(house, 1, "out.onnx", "--expires", "2090-12-31", "--json").json == [
        {"license": "bob.license", "level": 1, "licensee": "Bob Ltd", "expires": "2090-12-31"}
    ]
    (shown,) = house("license", "inspect", "bob.license", "--json").json
    assert (shown["level"], shown["licensee"], shown["owner"]) == (
        1, "Bob Ltd", public(house, "ann"),
    )  # fmt: skip
    assert json.loads(Path("bob.license").read_text())["wrapped"] not in json.dumps(shown)
    answer = house("license", "inspect", "model.onnx")
    assert (answer.status, answer.error.partition(":")[0]) == (2, "model.onnx")


def test_mistakes_are_told_before_the_long_work(house: Run) -> None:
    def error(model: str, *more: str, output: str = "out.onnx") -> str:
        answer = house("license", "issue", model, "--output", output, *ISSUE, *more)
        assert answer.status == 2
        assert not Path("out.onnx").exists()
        return str(answer.error)

    same = error("model.onnx", output="model.onnx")
    assert same == "--output model.onnx: is model.onnx: name another file"
    key = Path("ann.key").read_bytes()
    assert error("model.onnx", output="ann.key").startswith("--output ann.key: is ann.key")
    assert give(house, 0, "model.onnx", "--output", "ann.key").error.startswith("--output ann.key")
    assert Path("ann.key").read_bytes() == key
    assert error("data.npz").startswith("data.npz: is not one .onnx or .safetensors file")
    assert "no day like" in error("model.onnx", "--expires", "soon")
    assert "levels must be falling" in error("model.onnx", "--levels", "0.5,0.7")
    assert error("model.onnx", "--owner-key", "bob.key") == (
        "bob.key: is a key of kind licensee: give one of kind owner"
    )
