"""Damage to manifests and license files, and models larger than memory: refused, or done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutated_json import changed
from small_licenses import licensee, owner

import assay
from assay.errors import Unlicensed, UnreadableLicense
from assay.licenses import _signed
from assay.licenses._grants import Grant
from assay.licenses._manifest import Content, Manifest
from assay.licenses._parts import WINDOW, windows

T = TypeVar("T")
ACTIVATED = """
import resource, sys
from pathlib import Path
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey
from assay.licenses._distributable import activate, distribute
from assay.licenses._grants import Grant

folder, ann, bob = Path(sys.argv[1]), SigningKey.new(), ReceivingKey.new()


def opened(megabytes):
    files = [folder / f"{name}{megabytes}" for name in "abc"]
    for value, file in enumerate(files):
        with file.open("wb") as stream:
            for _ in range(megabytes):
                stream.write(bytes([value]) * 2**20)
    model = folder / f"model{megabytes}"
    made = distribute(files, [{"accuracy": "1"}] * 3, model, ann, "test")
    activate(model, Grant.make(made, ann, 0, "Bob", bob.public), bob, folder / "out")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


print(-opened(2) + opened(40))
"""


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(assay.__file__).parents[1])}
    ran = subprocess.run([sys.executable, "-c", ACTIVATED, str(tmp_path)], env=environment,
        check=True, capture_output=True, text=True)  # fmt: skip
    assert int(ran.stdout) < 8 << 10  # KiB
    assert (tmp_path / "out").read_bytes() == bytes(40 << 20)


def samples(is_traced: bool = False) -> tuple[Manifest, Grant]:
    body = {
        "id": "5" * 64, "method": "test()", "model": {"sha256": "1" * 64, "size": 5},
        "about": {"accuracy": "0.1"}, "issued": "2026-01-01", "expires": "2090-01-01",
        "licensee": "Bob",
        "levels": [{"restored": {"sha256": "2" * 64, "size": 5}, "about": {"accuracy": "0.9"},
            "sealed": {"sha256": "3" * 64, "size": 9}}] * 2,
        "ledger": {"sha256": "4" * 64, "size": 7} if is_traced else None,
    }  # fmt: skip
    manifest = Manifest.sign(body, owner())
    copy = (Content("6" * 64, 40), [(3, b"own"), (8, b"values")]) if is_traced else None
    bob = licensee(0).public
    return manifest, Grant.make(manifest, owner(), 1, "Bob", bob, copy=copy)


PAIRS = [samples(), samples(is_traced=True)]
SAMPLES = [sample for pair in PAIRS for sample in pair]
IDS = ["manifest", "license", "manifest of copies", "license of a copy"]


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_a_bit_flipped_anywhere_is_refused_or_changes_nothing(sample: Manifest | Grant) -> None:
    content = sample.text.encode()
    for byte in range(len(content)):
        flipped = bytearray(content)
        flipped[byte] ^= 1 << byte * 5 % 8
        with pytest.raises(UnreadableLicense):
            type(sample).parse(flipped.decode("utf-8", "replace"))


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
@settings(max_examples=60)
@given(data=st.data())
def test_what_is_changed_anywhere_is_refused_in_one_line(
    sample: Manifest | Grant, data: Any
) -> None:
    row = json.loads(sample.text)
    changed(data, row)
    if data.draw(st.booleans()):  # by its owner, who signs anything
        body = {n: v for n, v in row.items() if n not in ("owner", "signature")}
        kind = "manifest" if isinstance(sample, Manifest) else "license"
        body.pop(f"assay {kind}", None)
        try:
            row = _signed.sign(kind, body, owner())
        except ValueError:  # what no JSON can say
            return
    text = json.dumps(row)
    found = refusal(lambda: type(sample).parse(text))
    if isinstance(found, str):
        assert "\n" not in found
        return
    assert found.document == row  # as its owner signed it
    manifest, license_ = next(pair for pair in PAIRS if sample in pair)
    license_ = found if isinstance(found, Grant) else license_
    manifest = found if isinstance(found, Manifest) else manifest
    opened = refusal(lambda: license_.open(manifest, licensee(0), "2026-01-02"))
    assert "\n" not in opened if isinstance(opened, str) else found == sample
    patches = refusal(lambda: license_.patches(manifest, licensee(0), "2026-01-02"))
    assert "\n" not in patches if isinstance(patches, str) else found == sample


def refusal(action: Callable[[], T]) -> T | str:
    """What an action gives, or why it does not."""
    try:
        return action()
    except (Unlicensed, UnreadableLicense) as error:
        return str(error)


@given(st.text(max_size=200) | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_whatever_a_file_holds_is_refused(text: str) -> None:
    for parse in (Manifest.parse, Grant.parse):
        with pytest.raises(UnreadableLicense):
            parse(text)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a": 1, "a": 1}', "1e5", '{"assay license": NaN}', "9" * 5000, '"\\ud800"'],
)
def test_json_that_is_hostile_is_refused(text: str) -> None:
    with pytest.raises(UnreadableLicense):
        Grant.parse(text)


def test_a_license_of_a_newer_assay_says_so() -> None:
    with pytest.raises(UnreadableLicense, match="is a license of a newer assay: upgrade"):
        Grant.parse('{"assay license": 2, "more": "fields"}')


def test_windows_are_counted() -> None:
    assert [windows(size) for size in (0, 1, WINDOW, WINDOW + 1)] == [1, 1, 1, 2]
