"""Sphinx extension: Graphviz diagrams as SVG within the page, so that the theme's colours reach them.

``sphinx.ext.graphviz`` embeds an SVG as a separate object, which can't follow the theme's switch between light
and dark. ``_static/diagrams.css`` sets the colours.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.ext.graphviz import graphviz, render_dot

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

__all__ = ["setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Draw diagrams within the page in HTML."""
    app.setup_extension("sphinx.ext.graphviz")
    app.add_node(graphviz, override=True, html=(_insert_svg, None))
    app.add_css_file("diagrams.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _insert_svg(translator: HTML5Translator, node: graphviz) -> None:
    _, drawn = render_dot(translator, node["code"], node["options"], "svg")
    if drawn is not None:
        svg = drawn.read_text(encoding="utf-8")
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r' id="[^"]*"|<title>.*?</title>\n|<!--.*?-->\n', "", svg, flags=re.DOTALL)
        label = html.escape(node.get("alt", "diagram"))
        svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
        translator.body.append(f'<div class="graphviz">{svg}</div>\n')
    raise nodes.SkipNode
