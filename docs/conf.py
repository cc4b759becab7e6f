"""How the documentation is built: ``nox -s docs``."""

from __future__ import annotations

import re
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

import endpoints

project = "upbit_async"
author = "The upbit_async authors"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_title = f"upbit_async {release}"
html_show_sourcelink = False
html_copy_source = False
copybutton_prompt_text = "$ "
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True

# Docstrings put names into single backticks, those of parameters and fields too: what can be found is linked.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Other people's, whose inventories would have to be downloaded.
    (r"py:.*", r"(collections\.abc|datetime|decimal|httpx|httpx2|os)\..*|datetime|Decimal"),
    # What stands for other types: type variables, unions and dictionaries of options.
    (r"py:.*", r"(.*\.)?(R|T|Param|CommonOptions|ClientOptions)"),
    # What users are handed and need not name.
    (
        r"py:.*",
        r"(.*\.)?(TransferPoller|Pace|SandboxResponse|SandboxRequest|Delivery|Serving|InProcessTransport|Transport|SigningParams|OnUnowned)",
    ),
]

Amount.__module__, Amount.__qualname__ = "decimal", "Decimal"  # which they are, decoded strictly

_SANDBOX = "upbit_async.sandbox."
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
_HOMES = {
    "models": ("Deposit", "Vasp", "Withdrawal"),
    "sandbox": ("DepositRecord", "VaspRecord", "WithdrawalRecord"),
    "payouts": ("ManualDecision",),
}
"""Where names lead that signatures write without their module."""
_HIDDEN = "\ue000"


def setup(app: Sphinx) -> None:
    """Let pages and docstrings say what users say."""
    app.connect("source-read", _insert_endpoints)
    app.connect("missing-reference", _find)
    app.connect("autodoc-process-signature", _sign)
    app.connect("autodoc-process-docstring", _hide_colons, priority=400)
    app.connect("autodoc-process-docstring", _show_colons, priority=600)


def _insert_endpoints(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = source[0].replace("<!--- endpoints -->", endpoints.table())


def _sign(
    _app: Sphinx,
    what: str,
    name: str,
    _it: object,
    _options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Write aliases out, and leave out how errors and events are made: only the library makes them."""
    if what == "exception" or name.startswith("upbit_async.events."):
        return "", None
    meanings = dict(_ALIASES)
    for home, names in _HOMES.items():
        meanings |= {each: f"~upbit_async.{home}.{each}" for each in names}
    for alias, meaning in meanings.items():
        signature, returned = (
            text and re.sub(rf"(?<![\w.]){re.escape(alias)}\b", meaning, text)
            for text in (signature, returned)
        )
    return signature, returned


def _hide_colons(
    _app: Sphinx, what: str, _name: str, _it: object, _options: object, lines: list[str]
) -> None:
    """Keep napoleon from taking what stands before a colon for an attribute's type: there are annotations."""
    if what in {"attribute", "property"}:
        lines[:] = [line.replace(": ", _HIDDEN) for line in lines]


def _show_colons(
    _app: Sphinx, _what: str, _name: str, _it: object, _options: object, lines: list[str]
) -> None:
    lines[:] = [line.replace(_HIDDEN, ": ") for line in lines]


def _find(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Node | None:
    """Find what a docstring names, such as `client.withdraws.send` or `UpbitError`; else leave it a name."""
    target = node["reftarget"].removesuffix("()")
    shown: Node = text
    record = _RECORDS.get(node.get("py:class") or "")
    if record and target.rpartition(".")[2] == "R":  # of whatever kind the transfers are here
        target, shown = f"upbit_async.models.{record}", nodes.Text(record)
    for short, whole in endpoints.NAMESPACES.items():
        if target == short or target.startswith(f"{short}."):
            target = whole + target.removeprefix(short)
    if "." not in target and target.islower():
        return text  # a parameter, or a field: there are many of each name
    objects = env.domains.python_domain.objects
    found = [name for name in objects if f".{name}".endswith(f".{target}")]
    here = str(node.get("py:module")).startswith(_SANDBOX)
    near = [name for name in found if name.startswith(_SANDBOX) == here] or found
    if len(near) == 1:
        place = objects[near[0]]
        return make_refnode(app.builder, node["refdoc"], place.docname, place.node_id, [shown], near[0])
    return shown if node["reftype"] == "obj" else None
