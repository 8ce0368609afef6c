"""Models inside apps: found by content, read as files outside, within the limits of archives."""

from __future__ import annotations

import gc
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from samples import coreml, hugging_face, safetensors, tflite, torch_pickle
from small_apps import OTHERS, packed

from assay.containers.archives import place
from assay.errors import UnreadableModel
from assay.examine import examine
from assay.formats import read
from assay.formats._apps import is_app, listed

AGREE = Path(__file__).parent / "fixtures" / "agree"


def small(method: object, folder: Path) -> bytes:
    """A sample file of a format."""
    folder.mkdir(exist_ok=True)
    content: bytes = method.small(folder).read_bytes()  # type: ignore[attr-defined]
    return content


def noise(size: int = 9000) -> bytes:
    return np.random.default_rng(0).bytes(size)


@pytest.mark.parametrize(
    ("app", "below"), [("a.apk", "assets"), ("a.aab", "base/assets"), ("a.ipa", "Payload/A.app")]
)
def test_models_are_found_by_content_whatever_they_are_called(
    app: str, below: str, tmp_path: Path
) -> None:
    content = small(tflite, tmp_path / "made")
    members = {f"{below}/{name}": content for name in ("face.tflite", "hit.mp3", "data/0001")}
    members[f"{below}/net.dat"] = small(torch_pickle, tmp_path / "made")
    members[f"{below}/w.bin"] = small(safetensors, tmp_path / "made")
    found = listed(packed(tmp_path / app, members))
    assert found.models == tuple(sorted(members))
    assert found.others == len(OTHERS)


def test_a_model_inside_is_read_as_its_file_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (AGREE / "cnn.tflite").read_bytes()
    app = packed(tmp_path / "a.apk", {"assets/hit.mp3": content})
    loose = tmp_path / "hit.tflite"
    loose.write_bytes(content)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    inside, outside = examine(f"{app}!/assets/hit.mp3"), examine(loose)
    assert inside.path == f"{app}!/assets/hit.mp3"
    for name in ("sha256", "code", "graph", "format", "metadata", "name", "shapes"):
        assert getattr(inside, name) == getattr(outside, name), name
    assert read(app).weights.keys() == read(loose).weights.keys()  # the only one needs no name
    weight = next(iter(read(Path(f"{app}!/assets/hit.mp3")).weights.values()))
    gc.collect()
    assert np.isfinite(weight.read()).all()
    del weight
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_folders_that_are_models_are_one_and_other_models_in_them_are_found(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    root = coreml.small(made)
    files = {f.relative_to(made).as_posix(): f.read_bytes() for f in made.rglob("*") if f.is_file()}
    below = "Payload/A.app"
    members = {f"{below}/{name}": content for name, content in files.items()}
    members[f"{below}/X.mlmodelc/coremldata.bin"] = bytes(40)
    members[f"{below}/X.mlmodelc/other.tflite"] = small(tflite, tmp_path / "more")
    app = packed(tmp_path / "a.ipa", members)
    models = listed(app).models
    assert f"{below}/X.mlmodelc" in models
    assert f"{below}/X.mlmodelc/other.tflite" in models
    assert len(models) == 3
    own = next(name for name in models if "mlmodelc" not in name)
    assert read(Path(f"{app}!/{own}")).weights.keys() == read(root).weights.keys()
    with pytest.raises(UnreadableModel, match="compiled"):
        read(Path(f"{app}!/{below}/X.mlmodelc"))


def test_a_snapshot_in_an_app_is_one_model(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    root = hugging_face.small(made)
    names = [file.name for file in root.iterdir()]
    members = {f"assets/net/{name}": (root / name).read_bytes() for name in names}
    members["assets/net/face.tflite"] = small(tflite, tmp_path / "more")
    app = packed(tmp_path / "a.apk", members)
    assert listed(app).models == ("assets/net", "assets/net/face.tflite")
    assert read(Path(f"{app}!/assets/net")).weights.keys() == read(root).weights.keys()


def test_a_model_of_several_files_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    import onnx

    values = np.arange(1000, dtype=np.float32).reshape(20, 50)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 20])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 50])],
        [onnx.numpy_helper.from_array(values, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data",
              size_threshold=0)  # fmt: skip
    files = {f"assets/{n}": (tmp_path / n).read_bytes() for n in ("m.onnx", "m.data")}
    app = packed(tmp_path / "a.apk", files)
    assert listed(app).models == ("assets/m.onnx",)
    record = examine(f"{app}!/assets/m.onnx")
    assert record.sha256 == examine(tmp_path / "m.onnx").sha256 is not None


REFUSED = {
    "damaged": ("assets/a.tflite", b"\x1c\0\0\0TFL3" + bytes(50), "not a TensorFlow Lite file"),
    "encrypted by its app": ("assets/a.tflite", noise(), "encrypted or packed"),
    "called so": ("assets/a.tflite.enc", noise(), "encrypted or packed"),
    "several in an archive": ("assets/a.zip", b"", "holds 2 models"),
    "an app in it": ("assets/b.apk", b"", "an app in an archive"),
    "out of the folder": ("../../a.tflite", b"", "has no place inside a folder"),
}


@pytest.mark.parametrize(("name", "content", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_listed_and_said_to_be_so(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    model = small(tflite, tmp_path / "made")
    if name.endswith((".zip", ".apk")):
        within = {"one.tflite": model, "two.tflite": model}
        content = packed(tmp_path / "b", within, others=name.endswith(".apk")).read_bytes()
    app = packed(tmp_path / "a.apk", {name: content or model})
    assert listed(app).models == (name,)
    with pytest.raises(UnreadableModel, match=says):
        read(Path(f"{app}!/{name}"))
    assert not (tmp_path.parent / "a.tflite").exists()


def test_a_member_with_a_password_is_said_to_have_one(tmp_path: Path) -> None:
    app = packed(tmp_path / "a.apk", {"assets/a.tflite": small(tflite, tmp_path / "made")})
    content = bytearray(app.read_bytes())
    entry = content.rindex(b"PK\1\2")
    content[entry + 8] |= 1  # of the member, in the archive's directory
    app.write_bytes(content)
    assert listed(app).models == ("assets/a.tflite",)
    with pytest.raises(UnreadableModel, match="has a password"):
        read(Path(f"{app}!/assets/a.tflite"))


def test_bombs_and_doubled_names_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.apk", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/a.tflite", b"\x1c\0\0\0TFL3" + bytes(80 * 2**20))
    with pytest.raises(UnreadableModel, match="64 times its size"):
        listed(tmp_path / "bomb.apk")
    model = small(tflite, tmp_path / "made")
    two = packed(tmp_path / "two.apk", {"assets/a.tflite": model, "assets/b.tflite": model})
    two.write_bytes(two.read_bytes().replace(b"assets/b.tflite", b"assets/a.tflite"))
    with pytest.raises(UnreadableModel, match="two members have the name"):
        listed(tmp_path / "two.apk")


def test_an_archive_of_archives_of_itself_ends(tmp_path: Path) -> None:
    inner = packed(tmp_path / "0.apk", {"assets/a.tflite": small(tflite, tmp_path / "made")})
    for depth in range(1, 4):
        inner = packed(tmp_path / f"{depth}.apk", {"next.apk": inner.read_bytes(), "a.onnx": b"a"})
    assert listed(inner).models == ("a.onnx", "next.apk")
    with pytest.raises(UnreadableModel, match="an app in an archive"):
        read(Path(f"{inner}!/next.apk"))
    harmless = packed(tmp_path / "b.apk", {"next.apk": packed(tmp_path / "c", {}).read_bytes()})
    assert listed(harmless).models == ()


def test_what_is_an_app_its_content_says_where_its_name_does_not(tmp_path: Path) -> None:
    model = small(tflite, tmp_path / "made")
    two = {"assets/a.tflite": model, "assets/b.tflite": model}
    upload = packed(tmp_path / "upload", two)
    bundle = {"Payload/A.app/Info.plist": b"bplist00", **two}
    assert is_app(upload)
    assert is_app(packed(tmp_path / "u.zip", bundle, others=False))
    plain = packed(tmp_path / "plain.zip", two, others=False)
    assert not is_app(plain)
    assert not is_app(tmp_path)
    assert not is_app(tmp_path / "gone.apk")
    with pytest.raises(
        UnreadableModel, match=r"holds 2 models: name one, as upload!/assets/a\.tfl"
    ):
        read(upload)
    with pytest.raises(UnreadableModel, match="as ARCHIVE!/MODEL"):
        read(plain)
    assert read(Path(f"{plain}!/assets/b.tflite")).format == "tflite"
    with pytest.raises(UnreadableModel, match="it holds no model"):
        read(packed(tmp_path / "none.apk", {}))
    broken = tmp_path / "broken.apk"
    broken.write_bytes(upload.read_bytes()[:300])
    with pytest.raises(UnreadableModel, match="not a zip archive, or cut"):
        read(broken)


def test_a_path_with_the_mark_in_it_is_split_where_an_archive_is(tmp_path: Path) -> None:
    folder = tmp_path / "odd!"
    folder.mkdir()
    app = packed(folder / "a.apk", {"b!/c.tflite": small(tflite, tmp_path / "made")})
    assert place(Path(f"{app}!/b!/c.tflite")) == (app, "b!/c.tflite")
    assert read(Path(f"{app}!/b!/c.tflite")).format == "tflite"
    assert place(app) is None
    with pytest.raises(UnreadableModel, match="no 'x' in this archive"):
        read(Path(f"{app}!/x"))
    with pytest.raises(UnreadableModel, match="no such file"):
        read(Path(f"{tmp_path}/gone.apk!/x"))


def test_names_of_other_encodings_and_streams_survive(tmp_path: Path) -> None:
    buffer = io.BytesIO(small(tflite, tmp_path / "made"))
    app = packed(tmp_path / "a.apk", {"assets/模型 1.lite": buffer.getvalue()})
    (name,) = listed(app).models
    assert examine(f"{app}!/{name}").name == "模型 1"
