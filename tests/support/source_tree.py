"""Syntax trees of source files."""

from __future__ import annotations

import ast
import gc


def parsed(source: str) -> ast.Module:
    """Parse source code, without garbage collection.

    In Python 3.11.7 ``ast.parse`` raises SystemError if a finalizer that the collector runs also builds a syntax
    tree, as the formatting of a traceback does: https://github.com/python/cpython/issues/106905.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collects:
            gc.enable()
