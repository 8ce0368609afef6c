"""The comparison with peers: what their words amount to, and what is done to the models."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import assay

FOLDER = Path(assay.__file__).parents[2] / "benchmarks" / "peers"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("peers_tables", FOLDER / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.fixture
def tools(script: ModuleType) -> ModuleType:
    return sys.modules["tools"]


def of_provenance_kit(decision: str, tier: int, identity: float | None) -> str:
    scores = {"provenance_decision": decision, "mfi_tier": tier, "identity_score": identity}
    return json.dumps({"scores": scores})


def of_modeldna(verdict: str, ruled_out: str | None) -> str:
    candidates = [{"ruled_out": ruled_out}]
    found = {"verdict": verdict, "probability": 0.7, "candidates": candidates}
    return json.dumps({"verdict": found})


def test_a_verdict_of_equal_configurations_stands_beside_the_score_of_weights(
    tools: ModuleType,
) -> None:
    said = tools.read_provenance_kit(of_provenance_kit("Confirmed Match", 1, 0.6))
    assert (said.words, said.means) == ("Confirmed Match (tier 1)", tools.SURE)
    assert said.weights == tools.NOTHING


@pytest.mark.parametrize(
    ("identity", "means"), [(0.76, "related"), (0.7, "unsure"), (0.6, "nothing")]
)
def test_a_score_of_weights_has_its_own_tools_bounds(
    tools: ModuleType, identity: float, means: str
) -> None:
    assert tools.label(identity) == means
    assert tools.label(None) == tools.NOT_COMPARED


def test_an_unresolved_family_is_no_claim_and_a_ruled_out_candidate_not_compared(
    tools: ModuleType,
) -> None:
    unsure = tools.read_modeldna(of_modeldna("SAME_FAMILY_UNRESOLVED", None))
    assert unsure.means == tools.UNSURE
    apart = tools.read_modeldna(of_modeldna("NO_MATCH", "layer count mismatch"))
    assert apart.means == tools.NOT_COMPARED
    assert apart.words == "NO_MATCH (layer count mismatch)"
    assert tools.read_modeldna(of_modeldna("NO_MATCH", None)).means == tools.NOTHING


def test_an_error_is_told_without_paths_and_terminal_lines(tools: ModuleType) -> None:
    text = "loading…\rready\nError: cannot read '/some/folder': no tokenizer\n"
    assert tools.last_line(text) == "Error: cannot read …: no tokenizer"


def test_a_command_costs_something_and_its_output_comes_back(tools: ModuleType) -> None:
    done = tools.ran([sys.executable, "-c", "print('{}'); import sys; sys.exit('Error: no')"])
    assert (done.output, done.errors) == ("{}\n", "Error: no\n")
    assert 0 < done.mib < 200
    assert done.wall_s > 0


def test_a_claim_on_a_stranger_is_an_accusation_and_doubt_is_none(script: ModuleType) -> None:
    means = ["related", "unsure", "nothing", "nothing"]
    assert script.counted(means, "independent") == "**accused** 1, unsure 1, cleared 2"
    assert script.counted(means, "derived") == "found 1, unsure 1, **missed** 2"


def test_the_page_shows_what_the_results_hold(script: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text((FOLDER / "README.md").read_text())
    script.written(json.loads((FOLDER / "results.json").read_text()), page)
    assert page.read_text() == (FOLDER / "README.md").read_text()
