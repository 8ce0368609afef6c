"""A registry and its hash network: kept, found damaged, shared by processes, ranking what ties."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_networks import learned, network, saved
from small_records import graph, record

import assay
from assay.errors import AssayError, BadOption, DamagedRegistry, SchemeMismatch
from assay.examine import examine
from assay.hashers import HASHERS, Hasher
from assay.registry import Registry

PATHS = os.pathsep.join(map(str, [Path(assay.__file__).parents[1], Path(__file__).parent]))
BASELINE: Hasher = HASHERS["weisfeiler-lehman"]()


def put_some(registry: Registry, hasher: Hasher, count: int = 5) -> None:
    for number in range(count):
        registry.put(record(number, hasher=hasher))


def remembered(folder: Path) -> dict[str, Any]:
    connection = sqlite3.connect(folder / "registry.sqlite")
    (text,) = connection.execute("SELECT value FROM settings WHERE key = 'hasher'").fetchone()
    connection.close()
    known: dict[str, Any] = json.loads(text)
    return known


def test_the_registry_keeps_the_network_when_its_file_is_gone_and_when_it_is_moved(
    tmp_path: Path,
) -> None:
    weights = saved(tmp_path)
    hasher = learned(weights)
    codes = [hasher(graph(number)) for number in range(5)]
    with Registry.open(tmp_path / "old") as registry:
        put_some(registry, BASELINE)
        assert len([*registry.rehash(hasher)]) == 5
    kept = tmp_path / "old" / f"{hasher.scheme}.safetensors"
    assert kept.read_bytes() == Path(weights).read_bytes()
    assert remembered(tmp_path / "old")["weights"] == kept.name
    scheme = hasher.scheme
    Path(weights).unlink()
    (tmp_path / "old").rename(tmp_path / "new")
    with Registry.open(tmp_path / "new", create=False) as registry:
        assert [model.code for model in registry.list()] == codes
        assert registry.hasher.scheme == scheme
        assert registry.hasher(graph(7)) == learned(str(tmp_path / "new" / kept.name))(graph(7))
        (first, *_) = registry.kin(replace(record(3), sha256=None, code=codes[3]))
        assert first.record.name == "m3"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def exchange(file: Path) -> None:
    network(seed=1).save(file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(Path.unlink, "cannot be read"), (cut, "is no trained"), (exchange, "holds another network")],
)
def test_a_network_that_is_gone_or_damaged_is_said_and_can_be_put_back(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    hasher = learned(saved(tmp_path))
    with Registry.open(tmp_path / "registry") as registry:
        put_some(registry, BASELINE)
        assert len([*registry.rehash(hasher)]) == 5
        kept = tmp_path / "registry" / f"{hasher.scheme}.safetensors"
        damage(kept)
        with pytest.raises(DamagedRegistry) as caught:
            _ = registry.hasher
        assert str(caught.value).startswith(str(kept))
        assert said in str(caught.value)
        assert "'assay rehash'" in str(caught.value)
        assert len([*registry.list()]) == 5  # what needs no network goes on
        assert [*registry.rehash(hasher)] == []  # it is put back, and the codes are its own
        assert registry.hasher.scheme == hasher.scheme
        damage(kept)
        assert len([*registry.rehash(BASELINE)]) == 5
        assert registry.hasher == BASELINE


def test_a_network_that_cannot_be_kept_changes_nothing(tmp_path: Path) -> None:
    weights = saved(tmp_path)
    with Registry.open(tmp_path / "registry") as registry:
        put_some(registry, BASELINE)
    script = """
import resource, signal, sys
from assay.errors import AssayError
from assay.hashers import HASHERS
from assay.registry import Registry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))  # the network is larger
with Registry.open(sys.argv[1]) as registry:
    try:
        print(len([*registry.rehash(HASHERS["hnn-net"](weights=sys.argv[2]))]))
    except AssayError as error:
        print("error", error)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "registry"), weights]
    environment = {**os.environ, "PYTHONPATH": PATHS}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"error {tmp_path / 'registry' / learned(weights).scheme}.safet")
    assert not [*(tmp_path / "registry").glob("*safetensors*")]
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(BASELINE)  # it has chosen none
        assert {model.code for model in registry.list()} == {record(n).code for n in range(5)}


ADDING = """
import sys
from small_records import record
from assay.hashers import HASHERS
from assay.registry import Registry
first, weights = int(sys.argv[2]), sys.argv[3]
with Registry.open(sys.argv[1]) as registry:
    registry.use(HASHERS["hnn-net"](weights=weights))
    for number in range(first, first + 20):
        print(registry.put(record(number, hasher=registry.hasher)).status, flush=True)
"""


def test_processes_that_choose_the_same_network_at_once_share_one(tmp_path: Path) -> None:
    weights, folder = saved(tmp_path), tmp_path / "registry"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ADDING, str(folder), str(first), weights],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": PATHS},
        )
        for first in (0, 10, 20)
    ]  # fmt: skip
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * 3
    assert (lines.count("added"), lines.count("exists")) == (40, 20)
    scheme = learned(weights).scheme
    assert [file.name for file in folder.glob("*safetensors*")] == [f"{scheme}.safetensors"]
    with Registry.open(folder) as registry:
        assert {model.code and model.code.scheme for model in registry.list()} == {f"{scheme}+g1"}


def test_a_hasher_is_chosen_once_and_then_only_changed_for_all(tmp_path: Path) -> None:
    hasher = learned(saved(tmp_path))
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(hasher)
        registry.use(hasher)
        with pytest.raises(BadOption, match=f"its codes are of {hasher.scheme}, not weisf"):
            registry.use(BASELINE)
        assert registry.hasher.scheme == hasher.scheme


def test_a_model_that_is_added_while_another_process_rehashes_has_the_new_code(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    hasher = learned(saved(tmp_path))
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(BASELINE)
        put_some(registry, BASELINE)
        made = replace(examine(light_models["zfnet512"], hasher=BASELINE), name="late")
        with Registry.open(tmp_path / "registry") as other:
            assert len([*other.rehash(hasher)]) == 5
        registry._register(made, BASELINE)
        late = registry.show("late")
        assert late.graph is not None
        assert late.code == hasher(late.graph)


def test_codes_of_a_network_that_assay_no_longer_has_are_not_mixed_with_others(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    shipped = HASHERS["contrastive-gin"]()
    with Registry.open(tmp_path) as registry:
        registry.use(shipped)
        put_some(registry, shipped)
    known = remembered(tmp_path)
    assert (known["weights"], known["scheme"]) == (None, shipped.scheme)
    assert not [*tmp_path.glob("*safetensors*")]
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    older = "contrastive-gin-64@01234567"  # as an assay would have made them that came with it
    connection.execute("UPDATE models SET scheme = replace(scheme, ?, ?)", [shipped.scheme, older])
    connection.execute(
        "UPDATE settings SET value = json_set(value, '$.scheme', ?) WHERE key = 'hasher'", [older]
    )
    connection.commit()
    connection.close()
    with Registry.open(tmp_path) as registry:
        for ask in (registry.check, registry.add):
            with pytest.raises(SchemeMismatch) as caught:
                ask(light_models["zfnet512"])
            assert f"its codes are of {older}, this assay makes {shipped.scheme}" in str(
                caught.value
            )
            assert "'assay rehash --hasher contrastive-gin'" in str(caught.value)
        assert len(registry) == 5
        assert len([*registry.rehash(shipped)]) == 5
        assert registry.add(light_models["zfnet512"]).status == "added"
        assert {model.code and model.code.scheme for model in registry.list()} == {
            f"{shipped.scheme}+g1"
        }


def test_a_hasher_remembered_without_its_scheme_is_still_recalled(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        registry.use(BASELINE)
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    connection.execute("UPDATE settings SET value = json_remove(value, '$.scheme')"
                       " WHERE key = 'hasher'")  # fmt: skip
    connection.commit()
    connection.close()
    with Registry.open(tmp_path) as registry:
        assert registry.hasher == BASELINE


def test_a_prediction_is_the_suspects_and_is_not_registered(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    hasher = learned(saved(tmp_path))
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(hasher)
        registry.add(light_models["zfnet512"])
        report = registry.check(light_models["zfnet512"])
        assert report.suspect.predicted is not None
        assert report.suspect.predicted[0] in hasher.network.categories  # type: ignore[attr-defined]
        assert registry.show("light_zfnet512").predicted is None
        assert "category" not in report.matches[0].record.summary()


def test_a_registry_that_cannot_be_written_can_be_asked(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    hasher = learned(saved(tmp_path))
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(hasher)
        registry.add(light_models["zfnet512"])
    for file in (tmp_path / "registry").iterdir():
        file.chmod(0o444)
    (tmp_path / "registry").chmod(0o555)
    with Registry.open(tmp_path / "registry") as registry:
        assert registry.check(light_models["zfnet512"]).matches
        if not registry._database.writable:  # the superuser may write nevertheless
            with pytest.raises(AssayError, match="read-only"):
                registry.use(hasher)
    (tmp_path / "registry").chmod(0o755)
