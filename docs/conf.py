"""Sphinx settings: Markdown pages (MyST), the furo theme, and the package's own docstrings."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from sociarium import __version__

project = "Sociarium"
author = "The Sociarium maintainers"
copyright = "2026, The Sociarium maintainers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to pages at the root of the project; tests/project/test_docs.py checks every link

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
default_role = "code"
nitpicky = False

html_theme = "furo"
html_title = f"Sociarium {version}"
html_show_sphinx = False


def as_prose(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Our docstrings are prose in which only double backticks are markup: ``**arguments`` is no bold text, ``name_`` no link."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.+?``)", line)
        parts[::2] = [re.sub(r"\*|\||_(?=\W|$)", lambda found: "\\" + found.group(), part) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", as_prose)
