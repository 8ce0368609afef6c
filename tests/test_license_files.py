"""Distributables, manifests and license files: what fits is opened, what was touched is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_licenses import distributed, grant, licensee, owner

from assay.errors import (
    AssayError,
    BadOption,
    UnfitModel,
    Unlicensed,
    UnreadableKey,
    UnreadableLicense,
)
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey, wrap
from assay.licenses._distributable import (
    activate,
    content_of,
    damaged,
    manifest_of,
    part_of,
    read_manifest,
)
from assay.licenses._grants import Grant
from assay.licenses._manifest import Content, Manifest
from assay.licenses._parts import WINDOW, apply, delta, new_window, seal, unseal

KEY = bytes(range(32))


def contents(size: int = 1000, levels: int = 4, seed: int = 0) -> list[bytes]:
    """A file of drawn bytes, and ever less of it."""
    drawn = np.random.default_rng(seed)
    made = [drawn.integers(0, 256, size, np.uint8)]
    for _ in range(levels - 1):
        made.append(np.where(drawn.random(size) < 0.2, 0, made[-1]).astype(np.uint8))
    return [each.tobytes() for each in made]


# --- windows --------------------------------------------------------------------------------------


def applied(before: bytes, size: int, change: bytes) -> bytes:
    """What becomes of a window that begins with some bytes."""
    window = new_window()
    whole = window.data.cast("B")
    whole[: len(before)] = before
    apply(window, size, change)
    assert not any(whole[size : len(before) + 8])
    return bytes(whole[:size])


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_delta_makes_one_window_another(before: bytes, after: bytes) -> None:
    assert applied(before, len(after), delta(before, after)) == after


def test_a_delta_tells_nothing_of_what_stays() -> None:
    before, after = bytes(400), bytes(200) + b"abcd" + bytes(196)
    assert delta(before, before) == b""
    assert delta(before, after) == np.packbits(np.arange(100) == 50).tobytes() + b"abcd"


@example(b"\x80abcd", 3)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 100))
def test_no_bytes_are_a_delta_unless_they_fit(change: bytes, size: int) -> None:
    try:
        found = applied(bytes(50), size, change)
    except UnreadableLicense:
        return
    assert len(found) == size


def sealed(messages: list[bytes], key: bytes = KEY, about: bytes = b"part") -> list[bytes]:
    return list(seal(messages, len(messages), key, about))


def test_messages_come_as_they_went(tmp_path: Path) -> None:
    messages = [b"", b"one", bytes(5000), b"last"]
    assert opened(tmp_path, sealed(messages)) == messages


def opened(
    folder: Path, parts: list[bytes], count: int = 4, key: bytes = KEY, about: bytes = b"part"
) -> list[bytes]:
    file = folder / "part"
    file.write_bytes(b"".join(parts))
    with file.open("rb") as stream:
        return list(unseal(stream, count, key, about))


def test_no_message_can_be_left_out_added_or_change_places(tmp_path: Path) -> None:
    parts = sealed([b"a", b"b", b"c", b"d"])
    one, two, three, four = parts
    for wrong in (
        [], [one, two, three], [one, two, four], [two, one, three, four], [one, one, three, four],
        [*parts, four], [*parts, b"x"], [one, two, three, four[:-1]],
    ):  # fmt: skip
        with pytest.raises(UnreadableLicense):
            opened(tmp_path, wrong)
    for count in (3, 5):
        with pytest.raises(UnreadableLicense):
            opened(tmp_path, parts, count)
    with pytest.raises(UnreadableLicense):
        opened(tmp_path, parts, key=bytes(32))
    with pytest.raises(UnreadableLicense):
        opened(tmp_path, parts, about=b"another")


def test_a_length_that_lies_takes_no_memory(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLicense):
        opened(tmp_path, [b"\xff\xff\xff\xff", bytes(100)], 1)


# --- keys that open -------------------------------------------------------------------------------


def test_what_is_wrapped_opens_for_its_receiver_alone() -> None:
    bob, eve = licensee(0), licensee(1)
    wrapped = wrap(bob.public, b"secret", b"about")
    assert bob.unwrap(wrapped, b"about") == b"secret"
    assert wrap(bob.public, b"secret", b"about") != wrapped
    for key, content, about in (
        (eve, wrapped, b"about"), (bob, wrapped, b"else"), (bob, wrapped[:-1], b"about"),
        (bob, bytes(len(wrapped)), b"about"), (bob, b"", b"about"),
    ):  # fmt: skip
        with pytest.raises(UnreadableKey, match="was not wrapped for this key"):
            key.unwrap(content, about)
    with pytest.raises(UnreadableKey, match="is no public key of X25519"):
        wrap("0" * 64, b"secret", b"about")


def test_a_receiving_key_is_a_file_of_its_kind(tmp_path: Path) -> None:
    made = ReceivingKey.new()
    made.write(tmp_path / "bob.key")
    again = ReceivingKey.read(tmp_path / "bob.key")
    assert again.unwrap(wrap(made.public, b"x", b""), b"") == b"x"
    SigningKey.new().write(tmp_path / "ann.key")
    with pytest.raises(UnreadableKey, match="is a key of kind owner: give one of kind licensee"):
        ReceivingKey.read(tmp_path / "ann.key")


# --- distributables -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 999, WINDOW, 2 * WINDOW + 7])
def test_each_level_comes_back_byte_for_byte(size: int, tmp_path: Path) -> None:
    files = contents(size)
    model, manifest = distributed(tmp_path, files)
    assert model.read_bytes() == files[-1]
    assert len(manifest.levels) == 3
    assert read_manifest(model) == manifest
    assert damaged(model, manifest) == []
    for level, content in enumerate(files[:-1]):
        made = activate(model, grant(manifest, level), licensee(0), tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == content
        assert (made.level, made.licensee, made.content.size) == (level, "Bob", size)


def test_levels_may_have_any_length(tmp_path: Path) -> None:
    files = [contents(size, 1, seed)[0] for seed, size in enumerate((WINDOW + 9, 40, 2 * WINDOW))]
    model, manifest = distributed(tmp_path, files)
    for level in (0, 1):
        activate(model, grant(manifest, level), licensee(0), tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == files[level]


def test_two_distributables_of_one_model_have_nothing_in_common(tmp_path: Path) -> None:
    parts, files = [], contents()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model, _ = distributed(tmp_path / name, files)
        parts.append(part_of(model, 0).read_bytes())
    assert parts[0] != parts[1]
    model, other = tmp_path / "a" / "model.bin", tmp_path / "b" / "model.bin"
    with pytest.raises(Unlicensed, match="is for another model than this"):
        activate(model, grant(read_manifest(other), 0), licensee(0), tmp_path / "out")


def refused(model: Path, license_: Grant, kind: type[AssayError], words: str, **more: Any) -> None:
    before = {*model.parent.iterdir()}
    with pytest.raises(kind, match=words):
        activate(model, license_, licensee(0), model.parent / "out", **more)
    assert {*model.parent.iterdir()} == before


def test_a_byte_changed_in_any_file_is_refused(tmp_path: Path) -> None:
    model, manifest = distributed(tmp_path, contents())
    whole = grant(manifest, 0)
    stays = next(at for at in range(0, 1000, 4) if model.read_bytes()[at : at + 4] == bytes(
        contents()[0][at : at + 4]))  # fmt: skip
    for file in (model, *(part_of(model, level) for level in range(3)), manifest_of(model)):
        content = file.read_bytes()
        at = content.rindex(b"accuracy") if file == manifest_of(model) else len(content) // 2
        at = stays if file == model else at  # what a level has otherwise comes from its part
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        refused(model, whole, UnreadableLicense, str(file if file != model else "was changed"))
        if file != manifest_of(model):
            assert damaged(model, manifest) == [file.name]
        file.unlink()
        if file != model:
            refused(model, whole, UnreadableLicense, file.name)
        file.write_bytes(content)
    lower = grant(manifest, 2)
    part_of(model, 0).unlink()  # who has a lower license needs no more
    activate(model, lower, licensee(0), tmp_path / "out")


def test_another_models_part_is_refused(tmp_path: Path) -> None:
    model, manifest = distributed(tmp_path, contents())
    one, two = part_of(model, 1), part_of(model, 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    refused(model, grant(manifest, 0), UnreadableLicense, "is damaged, or another's")


def test_a_license_ends(tmp_path: Path) -> None:
    model, manifest = distributed(tmp_path, contents())
    until = grant(manifest, 1, expires="2030-02-28")
    refused(model, until, Unlicensed, "expired on 2030-02-28", today="2030-03-01")
    activate(model, until, licensee(0), tmp_path / "out", today="2030-02-28")
    for day in ("2030-02-30", "tomorrow", "20300228"):
        with pytest.raises(UnreadableLicense, match="is no day like 2027-01-31"):
            grant(manifest, 1, expires=day)


def test_what_ends_itself_or_is_for_one_alone_bounds_its_licenses(tmp_path: Path) -> None:
    model, manifest = distributed(tmp_path, contents(), expires="2030-01-01", licensee="Bob")
    assert grant(manifest, 0).expires == "2030-01-01"
    assert grant(manifest, 0, expires="2029-01-01").expires == "2029-01-01"
    with pytest.raises(Unlicensed, match="itself ends on 2030-01-01"):
        grant(manifest, 0, expires="2030-01-02")
    with pytest.raises(Unlicensed, match="is for 'Bob' alone"):
        Grant.make(manifest, owner(), 0, "Eve", licensee(1).public)
    refused(model, grant(manifest, 0), Unlicensed, "expired", today="2031-01-01")


def test_only_the_owner_makes_licenses_and_only_of_levels_that_are_there(tmp_path: Path) -> None:
    _, manifest = distributed(tmp_path, contents())
    with pytest.raises(Unlicensed, match="another owner's"):
        Grant.make(manifest, SigningKey.new(), 0, "Bob", licensee(0).public)
    for level in (-1, 3):
        with pytest.raises(Unlicensed, match=f"there is no level {level}: they go to 2"):
            grant(manifest, level)
    with pytest.raises(UnreadableLicense, match="is not 64 hexadecimal digits"):
        Grant.make(manifest, owner(), 0, "Bob", "abc")
    with pytest.raises(UnreadableLicense, match="licensee: is not a line"):
        Grant.make(manifest, owner(), 0, "Bob\nEve", licensee(0).public)


def test_a_manifest_signed_by_somebody_else_is_refused_by_who_knows_the_owner(
    tmp_path: Path,
) -> None:
    model, manifest = distributed(tmp_path, contents())
    assert read_manifest(model, owner().public) == manifest
    with pytest.raises(Unlicensed, match="is signed by"):
        read_manifest(model, SigningKey.new().public)
    mallory = SigningKey.new()
    body = {n: v for n, v in manifest.document.items() if n not in ("signature", "owner")}
    body.pop("assay manifest")
    manifest_of(model).write_text(Manifest.sign(body, mallory).text)
    refused(model, grant(manifest, 0), Unlicensed, "is for another model")


def test_nothing_of_the_distributable_is_written_over(tmp_path: Path) -> None:
    model, manifest = distributed(tmp_path, contents())
    for file in (model, part_of(model, 1), manifest_of(model)):
        before = file.read_bytes()
        with pytest.raises(BadOption, match="is a file of the distributable"):
            activate(model, grant(manifest, 1), licensee(0), file)
        assert file.read_bytes() == before


def test_a_file_without_a_manifest_is_no_distributable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLicense, match=r"is no distributable: there is no a\.man"):
        read_manifest(tmp_path / "a")


def test_an_original_that_was_changed_meanwhile_is_refused_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    original = tmp_path / "made-0"
    with pytest.raises(UnfitModel, match="made-0: was changed while levels were made of it"):
        distributed(tmp_path, contents(), original=Content("0" * 64, 1000))
    assert {path.name for path in tmp_path.iterdir()} == {f"made-{level}" for level in range(4)}
    _, manifest = distributed(tmp_path, contents(), original=content_of(original))
    assert manifest.levels[0].restored == content_of(original)
