"""What every test shares: Hypothesis without a clock, real model files, and no silent skips."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from reading_pages import browser

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker runs on every core: more threads only wait
settings.register_profile("local", deadline=None)  # no test depends on how busy a machine is
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a skipped test fails: `make test` has every extra, so nothing may be left out",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("torch") is None:
        for item in items:
            if "torch" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs the extra `torch`"))
    if browser() is None:
        for item in items:
            if "browser" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs Chromium"))


def _fail_where_skipped(
    config: pytest.Config, report: pytest.TestReport | pytest.CollectReport
) -> None:
    of_browser = isinstance(report, pytest.TestReport) and "browser" in report.keywords
    if of_browser:
        return  # no package of Python brings one
    if config.getoption("--no-skips") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and --no-skips is given: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    _fail_where_skipped(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    _fail_where_skipped(collector.config, report)
    return report


@pytest.fixture(scope="session")
def light_models() -> dict[str, Path]:
    """Nine real networks that the onnx package ships, by name: resnet50, vgg19 …"""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    models = {path.stem.removeprefix("light_"): path for path in sorted(folder.glob("*.onnx"))}
    assert len(models) == 9
    return models
