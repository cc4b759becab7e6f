"""The pictures of the command in a terminal: current, complete, and without anything from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "operate-payouts.md"

_SPEC = importlib.util.spec_from_file_location("docs_pictures", ROOT / "docs" / "pictures.py")
assert _SPEC is not None
assert _SPEC.loader is not None
pictures: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(pictures)

FILES = {path.stem: path for path in sorted((ROOT / "docs" / "images").glob("review-*.svg"))}


def test_every_picture_is_on_the_page_with_its_text() -> None:
    shown = re.findall(r"!\[([^]]+)\]\(\.\./images/([\w-]+)\.svg\)", PAGE.read_text(encoding="utf-8"))
    assert {name: " ".join(text.split()) for text, name in shown} == pictures.ALT_TEXTS
    assert FILES.keys() == pictures.ALT_TEXTS.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="the text of a lost connection depends on the system")
@pytest.mark.timeout(180)
def test_the_pictures_are_current() -> None:
    current = {name: pictures.head(text) for name, text in pictures.texts().items()}
    committed = {name: path.read_text(encoding="utf-8").splitlines()[0] for name, path in FILES.items()}
    assert committed == current, "run: python docs/pictures.py"


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_picture_loads_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "url(http" not in text
    assert "@import" not in text
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - a file of this project
