"""A folder of pictures of one's own, brought to the shape that a model reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.errors import BadData
from assay.zoo.datasets import images

Image = pytest.importorskip("PIL.Image")


def save(file: Path, color: tuple[int, int, int], size: tuple[int, int] = (6, 4)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(file)


def test_folders_are_classes_and_colors_are_channels(tmp_path: Path) -> None:
    save(tmp_path / "b" / "1.png", (255, 0, 0))
    save(tmp_path / "a" / "2.PNG", (0, 255, 51))
    found = images.read(tmp_path, (3, 5, 7))
    assert found.inputs.shape == (2, 3, 5, 7)
    assert found.known_labels.tolist() == [0, 1]  # a, b
    assert found.inputs[0, :, 2, 3] == pytest.approx([0, 1, 0.2])
    assert found.inputs[1, :, 2, 3] == pytest.approx([1, 0, 0])
    gray = images.read(tmp_path, (1, 5, 7))
    assert gray.inputs[1, 0] == pytest.approx(np.full((5, 7), 76 / 255), abs=0.01)


def test_pictures_in_no_folder_have_no_labels_and_some_stand_for_many(tmp_path: Path) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.png", (number, 0, 0))
    found = images.read(tmp_path, (3, 4, 6), most=3)
    assert found.labels is None
    assert np.rint(found.inputs[:, 0, 0, 0] * 255).tolist() == [0, 4, 8]
    (tmp_path / "words.txt").write_text("no picture")
    assert len(images.files(tmp_path)) == 9


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no pictures"):
        images.read(tmp_path, (3, 4, 4))
    save(tmp_path / "fine.png", (1, 2, 3))
    with pytest.raises(BadData, match="do not fit"):
        images.read(tmp_path, (10,))
    (tmp_path / "odd.png").write_bytes((tmp_path / "fine.png").read_bytes()[:40])
    with pytest.raises(BadData, match=r"odd\.png"):
        images.read(tmp_path, (3, 4, 4))
