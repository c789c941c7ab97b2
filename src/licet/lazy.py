"""Packages that import what they export when somebody asks for it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def exports(package: str, home: Mapping[str, str], name: str) -> Any:
    """What `package` exports under `name`, kept there from now on. `home`: modules, and which names come from each, with spaces between.

    Raises:
        AttributeError: it exports no such name.
    """
    module = next((module for module, names in home.items() if name in names.split()), None)
    if module is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    found = getattr(import_module(module), name)
    setattr(sys.modules[package], name, found)
    return found
