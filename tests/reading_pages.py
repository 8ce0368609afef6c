"""Pages as a reader sees them."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser

ACTIVE = {"script", "link", "img", "iframe", "form", "object", "a", "use", "image", "foreignobject"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
VOID = {"meta", "br", "rect", "path", "input"}


def browser() -> str | None:
    """The command of Chromium, where it is installed."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def words(html: str) -> str:
    """A page's text; every tag must be closed again, and none be active."""
    seen: list[str] = []
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names = {name for name, _ in attrs}
            assert tag not in ACTIVE
            assert not names & {"src", "href", "xlink:href", "action", "style"}
            assert not [name for name in names if name.startswith("on")]
            if tag not in VOID:
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in VOID:
                assert opened.pop() == tag

        def handle_data(self, data: str) -> None:
            if opened and opened[-1] == "style":
                assert "url(" not in data
                assert "@import" not in data
            elif opened:
                seen.append(data)

    reader = Reader()
    reader.feed(html)
    reader.close()
    assert opened == []
    return " ".join(" ".join(seen).split())
