"""Table of endpoints for the documentation, derived from the registry and from the code of the namespaces."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING, Any, Final

from upbit_async import Credentials, Region, UpbitClient
from upbit_async.protocol.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.protocol.endpoint import Endpoint

__all__ = ["METHODS", "NAMESPACES", "table"]

_PACKAGE: Final = "upbit_async.resources"


def table() -> str:
    """Return the table as Markdown, with a row for each endpoint."""
    head = ("Upbit's endpoint", "here", "may be repeated", "permission", "regions")
    rows = [head, ("---",) * len(head), *(tuple(_cells(endpoint)) for endpoint in ENDPOINTS.values())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(endpoint: Endpoint[Any]) -> Iterator[str]:
    yield f"[`{endpoint.label}`]({endpoint.docs})"
    yield ", ".join(_linked(method) for method in METHODS[endpoint.label])
    yield endpoint.safety.value + (
        f", and every {endpoint.interval / 60:g} minutes" if endpoint.interval else ""
    )
    yield f"`{endpoint.permission}`" if endpoint.permission else "any key"
    yield "all" if endpoint.regions is None else ", ".join(sorted(endpoint.regions))


def _linked(method: str) -> str:
    namespace, _, name = method.rpartition(".")
    return f"{{py:meth}}`{method.removeprefix('client.')} <{NAMESPACES[namespace]}.{name}>`"


def _endpoints_of(namespace: object, function: Any) -> set[str]:
    """Return the endpoints that a function passes to `call`; if none, those of the functions it refers to."""
    called, helpers = set[str](), set[Any]()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "call":
            endpoint = _value_of(node.args[0], namespace, function)
            called.add(endpoint.label)
        elif isinstance(node, ast.Name | ast.Attribute):
            helper = _value_of(node, namespace, function)
            if inspect.isfunction(helper) and helper.__module__.startswith(_PACKAGE):
                helpers.add(inspect.unwrap(helper))
    helpers.discard(function)
    return called or set[str]().union(*(_endpoints_of(namespace, helper) for helper in helpers))


def _value_of(node: ast.expr, namespace: object, function: Any) -> Any:
    """Return what a name, `self.name` or `module.name` in a function's code refers to; None if nothing."""
    match node:
        case ast.Name(id="self"):
            return namespace
        case ast.Name(id=name):
            return inspect.unwrap(function).__globals__.get(name)
        case ast.Attribute(value=ast.Name() as owner, attr=name):
            found = getattr(_value_of(owner, namespace, function), name, None)
            return getattr(found, "__func__", found)
        case _:
            return None


def _methods() -> dict[str, list[str]]:
    """Return the methods that call one endpoint and no other, by the endpoint's label."""
    found: dict[str, list[str]] = {label: [] for label in (each.label for each in ENDPOINTS.values())}
    for name, namespace in _namespaces.items():
        for method, function in _in_order_of_source(type(namespace)):
            labels = _endpoints_of(namespace, function)
            if len(labels) == 1:
                found[labels.pop()].append(f"client.{name}.{method}")
    return found


def _in_order_of_source(kind: type) -> list[tuple[str, Any]]:
    functions = inspect.getmembers(kind, inspect.isfunction)
    public = [(name, function) for name, function in functions if not name.startswith("_")]
    return sorted(public, key=lambda each: each[1].__code__.co_firstlineno)


_namespaces: Final[dict[str, object]] = {
    name: value
    for name, value in vars(
        UpbitClient(Region.SG, credentials=Credentials("docs", "docs"), base_url=Region.SG.base_url)
    ).items()
    if type(value).__module__.startswith(_PACKAGE)
}
NAMESPACES: Final = {
    f"client.{name}": f"{type(value).__module__}.{type(value).__qualname__}"
    for name, value in _namespaces.items()
}
"""What users type, and the class behind it."""
METHODS: Final = _methods()
"""The methods that call one endpoint and no other, by its label. A test calls each of them."""
