"""External data that lie where they should not, or not at all."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, helper

from hostile.building import FLOAT, attack, of_nodes

OUTSIDE = "outside the model's folder"


def external(location: str, dims: tuple[int, ...] = (3,), **entries: str) -> TensorProto:
    """A tensor whose data lie at ``location``."""
    tensor = TensorProto(name="w", dims=dims, data_type=FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def using(folder: Path, tensor: TensorProto) -> Path:
    return of_nodes(folder, [helper.make_node("Mul", ["x", "w"], ["y"])], [tensor])


def _place(name: str, location: str, error: str = OUTSIDE) -> None:
    def make(folder: Path) -> Path:
        return using(folder, external(location))

    make.__name__ = f"external_data_at_{name}"
    attack(error)(make)


_place("an_absolute_path", "/etc/passwd")
_place("a_parent", "../secret.bin")
_place("a_parent_by_a_detour", "a/b/../../../secret.bin")
_place("a_windows_drive", "C:\\Windows\\win.ini")
_place("a_windows_share", "\\\\server\\share\\x.bin")
_place("a_windows_parent", "..\\..\\secret.bin")
_place("a_zero_byte", "w\0.bin")
_place("no_file", "weights.bin", "")
_place("the_folder", ".", "")
_place("a_long_name", "w" * 5000, "File name too long")


@attack(OUTSIDE)
def external_data_behind_a_link(folder: Path) -> Path:
    (folder / "weights.bin").symlink_to("/etc/passwd")
    return using(folder, external("weights.bin"))


@attack(OUTSIDE)
def external_data_behind_a_linked_folder(folder: Path) -> Path:
    (folder / "data").symlink_to("/etc")
    return using(folder, external("data/passwd"))


@attack("not 12 bytes long")
def external_data_that_are_truncated(folder: Path) -> Path:
    (folder / "weights.bin").write_bytes(b"\0" * 11)
    return using(folder, external("weights.bin"))


@attack("does not hold its shape")
def external_data_of_another_length(folder: Path) -> Path:
    (folder / "weights.bin").write_bytes(b"\0" * 100)
    return using(folder, external("weights.bin", length="16"))


@attack("no place")
def external_data_at_a_negative_offset(folder: Path) -> Path:
    (folder / "weights.bin").write_bytes(b"\0" * 100)
    return using(folder, external("weights.bin", offset="-4"))


@attack("no place")
def external_data_at_an_offset_of_words(folder: Path) -> Path:
    return using(folder, external("weights.bin", offset="here"))


@attack(OUTSIDE)
def external_data_of_a_constant(folder: Path) -> Path:
    nodes = [
        helper.make_node("Constant", [], ["c"], value=external("../secret.bin")),
        helper.make_node("Mul", ["x", "c"], ["y"]),
    ]
    return of_nodes(folder, nodes)


@attack(OUTSIDE)
def external_data_of_a_sparse_tensor(folder: Path) -> Path:
    sparse = helper.make_sparse_tensor(
        external("../secret.bin"), helper.make_tensor("i", TensorProto.INT64, [3], [0, 1, 2]), [9]
    )
    nodes = [
        helper.make_node("Constant", [], ["c"], sparse_value=sparse),
        helper.make_node("Mul", ["x", "c"], ["y"]),
    ]
    return of_nodes(folder, nodes)
