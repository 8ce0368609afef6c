"""The page of a comparison as headless Chromium shows it, light and dark, 1280 pixels wide."""

import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from reading_pages import browser
from small_comparisons import compared, large, tuned

from assay.report import comparison_page
from assay.zoo import architectures

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 1280, 1400
DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
SAME, ALIKE, OTHER = (0x21, 0x66, 0xAC), (0x92, 0xC5, 0xDE), (0xB2, 0x18, 0x2B)
LONE = {False: (0xB3, 0x54, 0x1E), True: (0xF0, 0xA3, 0x5E)}  # dashed borders

Picture = NDArray[np.uint8]  # (height, width, 3)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    file = folder / "page.html"
    file.write_text(comparison_page(compared(*tuned(folder))), encoding="utf-8")
    return file


@cache
def picture(page: Path, dark: bool = False) -> Picture:
    """What the browser paints; it reaches no network."""
    command = browser()
    assert command is not None
    file = page.with_suffix(".dark.png" if dark else ".png")
    subprocess.run(
        [
            command, *QUIET, *(DARK if dark else ()), f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={file}", page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )  # fmt: skip
    shown = np.asarray(Image.open(file).convert("RGB"))
    assert shown.shape == (HEIGHT, WIDTH, 3)
    return shown


def where(shown: Picture, color: tuple[int, int, int]) -> Picture:
    """Pixels of one color, (height, width), but for what rounding does to it."""
    return (np.abs(shown.astype(int) - color).max(2) <= 2).astype(np.uint8)


@pytest.mark.parametrize("dark", [False, True])
def test_colors_are_there_on_both_sides_and_the_page_fits(page: Path, dark: bool) -> None:
    shown = picture(page, dark)
    brightness = shown.reshape(-1, 3).mean(1)
    assert (np.median(brightness) < 60) if dark else (np.median(brightness) > 200)
    left, right = shown[:, : WIDTH // 2], shown[:, WIDTH // 2 :]
    for color in (SAME, ALIKE, OTHER):
        sizes = [int(where(half[500:], color).sum()) for half in (left, right)]
        assert min(sizes) > 1000, color  # a box has 9,000 pixels, with letters on them
        assert abs(sizes[0] - sizes[1]) < 0.1 * sizes[0]
    assert where(left, LONE[dark]).sum() > 50
    margin = shown[:, -8:]
    assert (margin == margin[:, :1]).all()  # nothing is cut off


def test_letters_stand_out(page: Path) -> None:
    for dark in (False, True):
        shown = picture(page, dark)
        paper = np.median(shown[300:, 20:600].reshape(-1, 3), axis=0)
        apart = np.abs(shown.astype(int) - paper).max(2)
        assert (apart > 150).mean() > 0.01  # strong letters
        assert (apart < 12).mean() > 0.4  # on much paper


def test_a_large_graph_is_shown_as_a_list_of_its_parts(tmp_path: Path) -> None:
    (graph,) = (a.graph for a in architectures() if a.name == "timm/caformer_s36")
    file = tmp_path / "large.html"
    file.write_text(comparison_page(large(graph)).replace("<details open>", "<details>"))
    shown = picture(file)
    strips = where(shown[:, :400], (0xFB, 0xE7, 0xA1)).sum(1) > 20
    assert np.count_nonzero(np.diff(strips.astype(int)) == 1) > 10  # strips below one another
