"""The documentation is proved: what it names exists, and what exists it names."""

import re
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from make_docs import cli_page, make, methods_page, pages, stale, verbs

import assay
from assay import errors
from assay.cli import main
from assay.cli.listing import roles

ROOT = Path(assay.__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(r"`((?:src|docs|tests|scripts|benchmarks|papers|\.ci)/[\w./-]*)`")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|tmp|root|home|Users|opt|mnt)/\S*")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block, in order."""
    yield from FENCE.findall(text)


# --- what exists is named -------------------------------------------------------------------------


def undocumented_verbs(group: click.Group, text: str) -> list[str]:
    return [name for name, _ in verbs(group) if not re.search(rf"`assay {name}\b", text)]


def undocumented_methods(page: str) -> list[str]:
    listed = {f"{role}: {name}" for role, known in roles() for name in known}
    heading, shown = "", set()
    for line in page.splitlines():
        heading = line[3:] if line.startswith("## ") else heading
        if cell := re.match(r"\| `([^`]+)` ", line):
            shown.add(f"{heading}: {cell[1]}")
    return sorted(listed ^ shown)


def undocumented_errors(page: str, module: object = errors) -> list[str]:
    classes = (value for value in vars(module).values() if isinstance(value, type))
    return [kind.__name__ for kind in classes if f"| `{kind.__name__}` |" not in page]


def test_every_verb_is_in_the_readme_and_on_its_page() -> None:
    for page in ("README.md", "docs/cli.md"):
        assert undocumented_verbs(main, (ROOT / page).read_text()) == []


def test_every_verb_and_every_option_has_a_help_text() -> None:
    for name, command in verbs(main):
        assert command.help, name
        options = [option for option in command.params if isinstance(option, click.Option)]
        assert [option.name for option in options if not option.help] == [], name


def test_every_method_is_documented() -> None:
    assert undocumented_methods((ROOT / "docs" / "methods.md").read_text()) == []


def test_every_error_is_documented_where_it_is_drawn_and_in_the_manual() -> None:
    assert undocumented_errors((ROOT / "docs" / "architecture.md").read_text()) == []
    tree = errors.__doc__ or ""
    assert [
        name for name, v in vars(errors).items() if isinstance(v, type) and name not in tree
    ] == []


def test_what_is_not_named_turns_red() -> None:
    @click.group()
    def group() -> None: ...

    group.add_command(click.Command("melt"))
    page = (ROOT / "docs" / "methods.md").read_text()
    assert undocumented_verbs(group, "`assay melting` and assay melt") == ["melt"]
    assert undocumented_methods(page + "\n## hashers\n| `lead-to-gold` | \n") == [
        "hashers: lead-to-gold"
    ]
    assert undocumented_methods(page.replace("| `onnx` ", "| onnx ")) == ["formats: onnx"]
    assert undocumented_errors("", errors)


# --- what is named exists -------------------------------------------------------------------------


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere, headings included."""
    wrong = []
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (heading and heading not in headings(file)):
            wrong.append(target)
    return wrong


def headings(page: Path) -> set[str]:
    """The anchors of a page, as repository hosts derive them."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def missing_paths(page: Path, root: Path = ROOT) -> list[str]:
    return [path for path in NAMED_PATH.findall(page.read_text()) if not (root / path).exists()]


def machine_paths(page: Path) -> list[str]:
    return MACHINE_PATH.findall(page.read_text())


def missing_from_tree(readme: str, root: Path) -> list[str]:
    """Entries of the README's drawn tree that are not there; two spaces are one level."""
    wrong, folders = [], [root]
    (tree,) = (block for language, block in blocks(readme) if language == "tree")
    for line in tree.splitlines():
        indent = (len(line) - len(line.lstrip())) // 2
        path = folders[indent] / line.split()[0]
        folders[indent + 1 :] = [path]
        if not path.exists():
            wrong.append(line.split()[0])
    return wrong


@pytest.mark.parametrize("check", [broken_links, missing_paths, machine_paths])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists_everywhere(
    page: Path, check: Callable[[Path], list[str]]
) -> None:
    assert check(page) == []


def test_the_tree_in_the_readme_is_the_tree() -> None:
    assert missing_from_tree((ROOT / "README.md").read_text(), ROOT) == []


def test_a_name_of_nothing_turns_red(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[a](#a-title) [b](#b-title) [c](gone.md) [d](page.md) `src/gone.py` in /tmp/x\n"
        "```tree\nsrc/\n  gone/   nothing\npage.md  this\n```\n"
    )
    (tmp_path / "src").mkdir()
    assert broken_links(page) == ["#b-title", "gone.md"]
    assert missing_paths(page, tmp_path) == ["src/gone.py"]
    assert machine_paths(page) == ["/tmp/x"]
    assert missing_from_tree(page.read_text(), tmp_path) == ["gone/"]


# --- pages that are made, and figures that stand in two places ------------------------------------


@pytest.mark.torch  # trainers are listed with their options
def test_the_generated_pages_are_current() -> None:
    assert stale(pages()) == []
    assert make(["--check"]) == 0


@pytest.mark.torch  # trainers are listed with their options
def test_a_page_that_is_out_of_date_turns_red(tmp_path: Path) -> None:
    page = tmp_path / "methods.md"
    wanted = {page: methods_page()}
    assert stale(wanted) == [page]
    page.write_text(wanted[page].replace("64", "65"))
    assert stale(wanted) == [page]
    page.write_text(wanted[page])
    assert stale(wanted) == []


def test_a_new_verb_makes_the_page_of_verbs_out_of_date() -> None:
    @click.group()
    def group() -> None: ...

    before = cli_page(group)
    group.add_command(click.Command("melt", help="Melt it.", params=[click.Option(["--hot"])]))
    assert cli_page(group) == before + (
        "\n## melt\n\n`assay melt [OPTIONS]`\n\nMelt it.\n\n"
        "| option | meaning |\n|---|---|\n| `--hot` TEXT |  |\n"
    )


def test_two_commands_set_up_everything_and_the_second_is_what_ci_runs() -> None:
    (setup,) = (b for language, b in blocks((ROOT / "README.md").read_text()) if language == "sh")
    commands = [line.split("#")[0].strip() for line in setup.splitlines()]
    assert commands == ["make demo", "make test"]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {"demo", "test", "lint", "docs"} <= {*targets}
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == commands[-1]


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["assay"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert f"version: {assay.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()
