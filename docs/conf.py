"""Configuration of the documentation, which ``nox -s docs`` builds."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.nodes import make_refnode

from upbit_async import __version__
from upbit_async.models._base import Amount

if TYPE_CHECKING:
    from docutils.nodes import Element, Node
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

sys.path.insert(0, str(Path(__file__).parent))

import diagrams
import endpoints

project = "upbit_async"
author = "The upbit_async authors"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "inline_svg"]
html_theme = "furo"
html_title = f"upbit_async {release}"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
copybutton_prompt_text = "$ "
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True

# Docstrings put all names into single backticks: those of documented objects become links, see `_find`.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Names of other projects: their inventories would have to be downloaded.
    (r"py:.*", r"(collections\.abc|datetime|decimal|httpx|httpx2|os)\..*|datetime|Decimal"),
    # Type variables, unions and dictionaries of options.
    (r"py:.*", r"(.*\.)?(R|T|Param|CommonOptions|ClientOptions)"),
    # Classes that users receive and need not name.
    (
        r"py:.*",
        r"(.*\.)?(TransferPoller|Delivery|Serving|InProcessTransport|Transport|KnownWithdrawals|SigningParams)",
    ),
]

Amount.__module__, Amount.__qualname__ = "decimal", "Decimal"  # Amount is Decimal with strict decoding

_RECORDS = {
    "Withdraws": "Withdrawal",
    "WithdrawalPoller": "Withdrawal",
    "Deposits": "Deposit",
    "DepositPoller": "Deposit",
}
_ALIASES = {
    "_Amount": "Decimal | int | str",
    "Order": "Literal['asc', 'desc']",
    "Json": "dict | list | str | int | bool | None",
    "builtins.list": "list",
    "dt.datetime": "datetime",
}
"""What signatures show. autodoc_type_aliases needs names that exist at run time, also in ``if TYPE_CHECKING``."""
_HIDDEN = "\ue000"
_CAN_DRAW = shutil.which("dot") is not None
"""Whether Graphviz is installed. Without it the pages show the sources of their diagrams."""


def setup(app: Sphinx) -> None:
    """Connect the hooks that complete pages, signatures and links."""
    app.connect("source-read", _insert_generated)
    app.connect("missing-reference", _find)
    app.connect("autodoc-process-signature", _sign)
    app.connect("autodoc-process-docstring", _hide_colons, priority=400)
    app.connect("autodoc-process-docstring", _show_colons, priority=600)


def _insert_generated(_app: Sphinx, _page: str, source: list[str]) -> None:
    page = source[0].replace("<!--- endpoints -->", endpoints.table())
    source[0] = diagrams.insert(page, drawn=_CAN_DRAW)


def _sign(
    _app: Sphinx,
    what: str,
    name: str,
    _it: object,
    _options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Expand aliases, and omit the constructors of errors and events: only the library calls them."""
    if what == "exception" or name.startswith("upbit_async.events."):
        return "", None
    for alias, meaning in _ALIASES.items():
        signature, returned = (
            text and re.sub(rf"(?<![\w.]){re.escape(alias)}\b", meaning, text)
            for text in (signature, returned)
        )
    return signature, returned


def _hide_colons(
    _app: Sphinx, what: str, _name: str, _it: object, _options: object, lines: list[str]
) -> None:
    """Keep napoleon from reading text before a colon as the type of an attribute: annotations have the types."""
    if what in {"attribute", "property"}:
        lines[:] = [line.replace(": ", _HIDDEN) for line in lines]


def _show_colons(
    _app: Sphinx, _what: str, _name: str, _it: object, _options: object, lines: list[str]
) -> None:
    lines[:] = [line.replace(_HIDDEN, ": ") for line in lines]


def _find(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Node | None:
    """Link a name such as `client.withdraws.send` or `UpbitError` if exactly one documented object has it."""
    target = node["reftarget"].removesuffix("()")
    shown: Node = text
    record = _RECORDS.get(node.get("py:class") or "")
    if record and target.rpartition(".")[2] == "R":  # the type variable of the transfers
        target, shown = f"upbit_async.models.{record}", nodes.Text(record)
    for short, whole in endpoints.NAMESPACES.items():
        if target == short or target.startswith(f"{short}."):
            target = whole + target.removeprefix(short)
    if "." not in target and target.islower():
        return text  # a parameter or a field, whose name is not unique
    objects = env.domains.python_domain.objects
    found = [name for name in objects if f".{name}".endswith(f".{target}")]
    if len(found) == 1:
        entry = objects[found[0]]
        return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, [shown], found[0])
    return shown if node["reftype"] == "obj" else None
