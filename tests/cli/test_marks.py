"""``mark`` and ``verify``: files marked with a key, and the mark found in what became of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_files import save_examples, save_network
from small_marks import at_rate, stranger
from small_servers import Reply, reply, served
from small_tasks import squares

from assay.formats import read
from assay.watermarks import load_key
from assay.watermarks._key import is_sealed

Run = Callable[..., Any]
PAYLOAD = "0123456789abcdef"
OWN = ("--key", "mine.key", "--controls", "9")
MARK = ("mark", "mine.safetensors", "--key", "mine.key", "--output", "marked.safetensors")


@pytest.fixture
def mine(run: Run) -> dict[str, Any]:
    tensors = {name: weight.read() for name, weight in stranger().items()}
    save_file(tensors, "mine.safetensors")
    return tensors


@pytest.mark.usefixtures("mine")
def test_a_file_is_marked_and_the_mark_is_found(run: Run) -> None:
    before = Path("mine.safetensors").read_bytes()
    answer = run(*MARK, "--payload", PAYLOAD)
    assert (answer.status, answer.err) == (0, "")
    assert f"payload      {PAYLOAD}" in answer.out
    assert "to see it    assay verify marked.safetensors --key mine.key" in answer.out
    assert Path("mine.safetensors").read_bytes() == before
    assert Path("mine.key").stat().st_mode & 0o077 == 0
    assert {p.name for p in Path().iterdir()} == {
        "mine.safetensors", "marked.safetensors", "mine.key",
    }  # fmt: skip
    found = run("verify", "marked.safetensors", "--key", "mine.key")
    assert (found.status, found.err) == (0, "")
    assert "mark        found, false alarm 1e-" in found.out
    assert f"payload     {PAYLOAD}\n" in found.out
    assert "0 of 200 find as much" in found.out
    both = run("verify", "marked.safetensors", "mine.safetensors", *OWN, "--json")
    assert both.status == 1
    one, other = both.json
    assert set(one) == {"suspect", "found", "evidence"}
    assert (one["found"], one["evidence"]["detail"]["payload"]) == (True, PAYLOAD)
    assert (other["found"], other["evidence"]["detail"]["payload"]) == (False, None)
    missed = run("verify", "mine.safetensors", *OWN)
    assert missed.status == 1
    assert "mark        not found" in missed.out
    assert "try         --original MARKED" in missed.out


@pytest.mark.usefixtures("mine")
def test_what_became_of_it_is_found_with_the_original(run: Run) -> None:
    assert run(*MARK).status == 0
    marked = load_file("marked.safetensors")
    order = np.random.default_rng(0).permutation(80)
    moved = {**marked, "hidden.weight": at_rate(0.9)(marked["hidden.weight"])[order]}
    moved["head.weight"] = marked["head.weight"][:, order]
    save_file({f"x.{n}": np.ascontiguousarray(a) for n, a in moved.items()}, "moved.safetensors")
    save_file({"stem.weight": marked["stem.weight"]}, "part.safetensors")
    assert run("verify", "moved.safetensors", *OWN).status == 1
    found = run("verify", "moved.safetensors", *OWN, "--original", "marked.safetensors")
    assert found.status == 0
    assert "read        aligned with the original" in found.out
    part = run("verify", "part.safetensors", *OWN)
    assert part.status == 1
    assert "no layer of the shape" in part.out


@pytest.mark.usefixtures("mine")
def test_a_plan_makes_nothing(run: Run) -> None:
    answer = run("mark", "mine.safetensors", "--plan", "--set", "survive=0.9", "--bits", "64")
    assert answer.status == 0
    assert "hosts.name  hidden.weight" in answer.out
    (plan,) = run("mark", "mine.safetensors", "--plan", "--json").json
    assert plan["hosts"][0]["outlives"]["layer"] > 0.95
    assert {p.name for p in Path().iterdir()} == {"mine.safetensors"}


@pytest.mark.usefixtures("mine")
def test_a_key_is_kept_under_a_passphrase_and_used_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_PASSPHRASE", "")
    assert run(*MARK, "--passphrase").error == "ASSAY_PASSPHRASE: is empty: unset it to be asked"
    assert not Path("mine.key").exists()
    monkeypatch.setenv("ASSAY_PASSPHRASE", "a long one")
    assert run(*MARK, "--passphrase").status == 0
    first = Path("mine.key").read_bytes()
    key = load_key(Path("mine.key"), "a long one")
    again = run(*MARK[:-1], "again.safetensors", "--json")
    assert again.status == 0
    assert again.json[0]["payload"] == key.payload.hex()
    assert Path("mine.key").read_bytes() == first
    assert Path("again.safetensors").read_bytes() == Path("marked.safetensors").read_bytes()
    assert run("verify", "again.safetensors", *OWN).status == 0
    monkeypatch.setenv("ASSAY_PASSPHRASE", "another")
    wrong = run("verify", "again.safetensors", *OWN)
    assert wrong.status == 2
    assert "mine.key: not its passphrase" in wrong.error
    monkeypatch.setenv("ASSAY_PASSPHRASE", "a long one")
    other = run(*MARK, "--payload", PAYLOAD)
    assert other.error == f"--key mine.key: is of a mark that says {key.payload.hex()}"


@pytest.mark.usefixtures("mine")
def test_a_passphrase_comes_from_a_file_and_is_never_waited_for(run: Run) -> None:
    assert run(*MARK, "--passphrase").error.startswith("--passphrase: is asked for on a terminal")
    Path("phrase").write_text("a long one\n")
    assert run(*MARK, "--passphrase-file", "phrase").status == 0
    assert is_sealed(Path("mine.key"))
    verify = ("verify", "marked.safetensors", *OWN)
    unasked = "mine.key: is sealed by a passphrase: give --passphrase-file"
    for verb in (verify, (*MARK[:-1], "again.safetensors")):
        assert run(*verb).error == unasked
    assert run(*verify, "--passphrase-file", "phrase").status == 0


@pytest.mark.usefixtures("mine")
def test_a_damaged_key_is_blamed_and_not_the_suspect(run: Run) -> None:
    assert run(*MARK).status == 0
    content = Path("mine.key").read_bytes()
    for old, new, says in (
        (b'ones\\": 2', b'ones\\": 3', "put it back from a copy"),
        (b'ones\\": 2', b'ones\\": 0', "its field 'ones' is 0"),
        (b'blocks\\"', b'blocky\\"', "it has no field 'blocks'"),
    ):
        assert old in content
        Path("mine.key").write_bytes(content.replace(old, new))
        answer = run("verify", "marked.safetensors", *OWN)
        assert answer.status == 2
        assert answer.error.startswith("mine.key: a damaged key of constant-weight: ")
        assert says in answer.error


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("mark", "mine.safetensors"), "say --key and --output"),
        ((*MARK[:-1], "mine.safetensors"), "name another file"),
        ((*MARK[:-1], "mine.key"), "name another file"),
        ((*MARK[:-1], "marked.pt2"), "must end with .safetensors or .onnx"),
        ((*MARK[:-1], "none/marked.safetensors"), "not a file in an existing folder"),
        ((*MARK, "--payload", "xyz"), "no hexadecimal number"),
        ((*MARK, "--limit", "9"), "of which examples"),
        ((*MARK, "--set", "survive=2"), "survive must be above 0 and below 1"),
        ((*MARK, "--set", "hosts=none"), "mine.safetensors: no weight 'none'"),
        ((*MARK, "--method", "rot13"), "'rot13' is not one of"),
        (("verify", "mine.safetensors", "--key", "none.key"), "none.key: No such file"),
        (("verify", "mine.safetensors", "--key", "mine.safetensors"), "not a key of assay"),
        ((*MARK[:-1], "marked.onnx"), "it has no graph"),
        ((*MARK, "--passphrase-file", "none"), "none: No such file"),
    ],
)
def test_mistakes_are_named(run: Run, arguments: tuple[str, ...], says: str) -> None:
    answer = run(*arguments)
    assert answer.status == 2
    assert says in answer.error
    assert not Path("marked.safetensors").exists()


@pytest.mark.usefixtures("mine")
def test_a_batch_goes_on_past_a_damaged_file(run: Run) -> None:
    assert run(*MARK).status == 0
    Path("damaged.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    answer = run("verify", "damaged.safetensors", "marked.safetensors", *OWN)
    assert answer.status == 2
    assert answer.error.startswith("damaged.safetensors: ")
    assert "marked.safetensors\n  mark        found" in answer.out


@pytest.mark.torch
def test_an_onnx_file_is_marked_as_it_is_and_while_it_is_tuned(run: Run) -> None:
    save_network("vgg", "model.onnx")
    save_examples("data.npz", squares(96, 3))
    plain = ("mark", "model.onnx", "--key", "a.key", "--output", "a.onnx", "--payload", PAYLOAD)
    tuned = ("--data", "data.npz", "--set", "training.epochs=1", "--json")
    assert run(*plain).status == 0
    (about,) = run(
        "mark", "model.onnx", "--key", "b.key", "--output", "b.onnx", "--payload", PAYLOAD, *tuned
    ).json
    assert len(about["accuracy"]) == 2
    assert "training" in about["notes"]
    for name in "ab":
        answer = run("verify", f"{name}.onnx", "--key", f"{name}.key", "--controls", "9", "--json")
        assert answer.status == 0
        assert answer.json[0]["evidence"]["detail"]["payload"] == PAYLOAD
    before, after = (read(Path(file)).layers for file in ("model.onnx", "a.onnx"))
    assert before is not None
    assert after is not None
    ours, theirs = ([(o.op, o.inputs) for o in each.operators] for each in (before, after))
    assert ours == theirs
    assert run("verify", "b.onnx", "--key", "a.key", "--controls", "9").status == 1


@pytest.mark.torch
def test_a_mark_in_behavior_is_asked_for_in_a_file_that_is_run_and_behind_a_url(run: Run) -> None:
    from assay.running.predictors import predictor

    save_network("cnn", "model.onnx")
    save_examples("data.npz", squares(400, 1))
    adi = ("--method", "adi", "--set", "triggers=24", "--payload", "0123")
    training = ("training.epochs=16", "training.batch=32", "training.optimizer.name=adam",
        "training.optimizer.rate=0.005")  # fmt: skip
    given = [word for each in training for word in ("--set", each)]
    mark = ("mark", "model.onnx", "--key", "mine.key", "--output", "marked.onnx", *adi)
    alone = run(*mark)
    assert alone.status == 2
    assert "it is trained in, with --data" in alone.error
    done = run(*mark, "--data", "data.npz", *given)
    assert (done.status, "of 24 are answered as the key says" in done.out) == (0, True)
    verify = ("--key", "mine.key", "--controls", "4", "--tolerance", "1e-5")
    assert run("verify", "marked.onnx", *verify).status == 0
    assert (
        "does not look at weights"
        in run("verify", "marked.onnx", *verify, "--original", "model.onnx").error
    )
    missed = run("verify", "model.onnx", *verify)
    assert (missed.status, "of 24 triggers" in missed.out) == (1, True)
    model = predictor("marked.onnx")

    def answered(inputs: Any) -> Reply:
        return reply(labels=model.ask(inputs).labels.tolist())

    with served(answered) as url:
        both = run("verify", "marked.onnx", url, *verify, "--budget", "144", "--json")
        _, found = both.json  # the budget is the URL's
        spent = run("verify", url, *verify, "--budget", "100")
    assert found["found"]
    assert (spent.status, "budget" in spent.error) == (2, True)
    assert run(*MARK[:1], "model.onnx", *MARK[2:-1], "b.onnx").status == 2  # the key is adi's
    save_file({"w": np.zeros((3, 3), np.float32)}, "weights.safetensors")
    assert "no graph" in run("verify", "weights.safetensors", *verify).error


@pytest.mark.torch
def test_an_ingrained_mark_is_found_in_a_student_from_the_command_line(run: Run) -> None:
    save_network("mlp", "model.onnx")
    save_examples("data.npz", squares(1500, 1))
    ingrain = ("--method", "ingrain", "--set", "strength=3")
    given = [word for each in ("epochs=15", "batch=32", "optimizer.name=adam",
        "optimizer.rate=0.005") for word in ("--set", f"training.{each}")]  # fmt: skip
    steal = ("--method", "extract", "--data", "data.npz", *given)
    mark = ("mark", "model.onnx", "--key", "mine.key", "--output", "marked.onnx", *ingrain)
    assert "it is trained in, with --data" in run(*mark, "--payload", "01").error
    done = run(*mark, "--data", "data.npz", "--payload", "01", *given)
    assert (done.status, done.err) == (0, "")
    assert len(load_key(Path("mine.key")).arrays["queries"]) == 300  # of the 1,200 to train on
    verify = ("--key", "mine.key", "--controls", "19", "--tolerance", "1e-3", "--json")
    found = run("verify", "marked.onnx", *verify)
    missed = run("verify", "model.onnx", *verify)
    assert (found.status, missed.status) == (0, 1)
    assert found.json[0]["evidence"]["detail"]["controls"]["as_high"] == 0
    assert run("derive", "marked.onnx", *steal, "--output", "student.onnx").status == 0
    assert run("verify", "student.onnx", *verify).status == 0


@pytest.mark.torch
def test_students_of_ones_own_go_into_an_ingrained_key(run: Run) -> None:
    from assay.running.predictors import predictor

    save_network("cnn", "model.onnx")
    save_network("mlp", "student.onnx")
    save_examples("data.npz", squares(200, 1))
    words = ("--data", "data.npz", "--set", "training.epochs=1", "--payload", "01")
    own = ("--key", "a.key", "--output", "a.onnx", "--reference", "student.onnx")
    other = run("mark", "model.onnx", "--method", "adi", *words, *own)
    assert (other.status, other.error) == (2, "--reference: a key of adi keeps no answers")
    ingrain = ("mark", "model.onnx", "--method", "ingrain", "--set", "directions=12", *words)
    weights = run(*ingrain, *own[:-1], "data.npz").error
    assert weights == "data.npz: has no graph: give a file that says how it is computed"
    assert run(*ingrain, *own).status == 0
    arrays = load_key(Path("a.key")).arrays
    said = [predictor(f).ask(arrays["queries"]) for f in ("model.onnx", "student.onnx")]
    mean = np.mean([np.exp(each.log_probabilities) for each in said], axis=0)
    assert np.allclose(np.exp(arrays["reference"]), mean, atol=1e-5)


@pytest.mark.usefixtures("mine")
def test_a_url_has_no_weights_to_be_read(run: Run) -> None:
    assert run(*MARK).status == 0
    answer = run("verify", "http://127.0.0.1:9/", *OWN)
    assert answer.error == (
        "http://127.0.0.1:9/: a URL can only be asked, and constant-weight reads a file"
    )
