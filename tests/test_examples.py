"""What the documentation shows is run: each command, each line of Python, each printed answer."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import assay

ROOT = Path(assay.__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TORCH = {"README.md", "training.md"}  # pages whose commands need the extra
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block, in order."""
    yield from FENCE.findall(text)


def run_blocks(text: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run the ``console`` and ``python`` blocks of a page in order in ``folder``; what differs.

    In a console block a ``$`` line is a command, and the lines after it are what it prints; ``…``
    stands for anything.
    """
    wrong: list[str] = []
    names: dict[str, object] = {"__name__": "__main__"}
    for language, block in blocks(text):
        if language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, expected = split_command(part)
                run = subprocess.run(
                    ["bash", "-c", command], cwd=folder, env=environment, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                )  # fmt: skip
                pattern = ".*".join(map(re.escape, expected.strip().split("…")))
                if not re.fullmatch(pattern, run.stdout.strip(), flags=re.DOTALL):
                    wrong.append(f"$ {command}\nprinted:\n{run.stdout}\nnot:\n{expected}")
        elif language == "python":
            wrong += run_python(block, names)
    return wrong


def split_command(part: str) -> tuple[str, str]:
    """A command, with its lines continued by a backslash, and the output shown after it."""
    lines = part.splitlines()
    end = next(i for i, line in enumerate(lines) if not line.endswith("\\")) + 1
    return "\n".join(lines[:end]), "\n".join(lines[end:])


def run_python(block: str, names: dict[str, object]) -> list[str]:
    """Run a block as a doctest, in the current folder; what differs."""
    wrong: list[str] = []
    test = doctest.DocTestParser().get_doctest(block, names, "block", None, 0)
    if not test.examples:
        return [f"a python block without >>> shows no result:\n{block}"]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=wrong.append, clear_globs=False)
    names.update(test.globs)
    return wrong


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    """An empty folder to work in, and an environment whose ``assay`` is this source."""
    commands, folder = tmp_path / "bin", tmp_path / "folder"
    commands.mkdir()
    folder.mkdir()
    program = f"#!/bin/sh\nexec '{sys.executable}' -c 'from assay.cli import main; main()' \"$@\"\n"
    (commands / "assay").write_text(program)
    (commands / "python").write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    for command in commands.iterdir():
        command.chmod(0o755)
    environment = {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(tmp_path),
        "ASSAY_REGISTRY": str(tmp_path / "registry"),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
    }
    monkeypatch.chdir(folder)
    return folder, environment


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.torch if page.name in TORCH else (), id=page.name)
        for page in PAGES
    ],
)
def test_every_block_of_a_page_runs_as_shown(
    page: Path, shell: tuple[Path, dict[str, str]]
) -> None:
    assert run_blocks(page.read_text(), *shell) == []


def test_the_story_of_the_package_runs(
    shell: tuple[Path, dict[str, str]], light_models: dict[str, Path]
) -> None:
    folder, _ = shell
    for name in ("resnet50", "vgg19"):
        (folder / f"{name}.onnx").write_bytes(light_models[name].read_bytes())
    from onnx import compose, load, save

    save(compose.add_prefix(load(light_models["resnet50"]), "mine/"), folder / "renamed.onnx")
    assert run_python(assay.__doc__ or "", {}) == []


def test_the_readme_shows_commands_and_python() -> None:
    languages = [language for language, _ in blocks((ROOT / "README.md").read_text())]
    assert {"console", "python"} <= {*languages}


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo near\nfar\n```\n",
        "```console\n$ assay no-such-verb\n```\n",
        "```console\n$ echo a\na\n$ echo b\\\n  c\nd\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```python\n>>> import assay\n>>> assay.no_such_name\n```\n",
        "```python\nx = 1\n```\n",
    ],
)
def test_a_block_that_does_not_run_as_shown_turns_red(
    text: str, shell: tuple[Path, dict[str, str]]
) -> None:
    assert len(run_blocks(text, *shell)) == 1
