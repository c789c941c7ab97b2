"""All readers, by the name that `licet ingest` knows them by. A reader is loaded when it is asked for, and loads no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from licet.errors import UsageError
from licet.ingest.recognised import Source

_MODULES: Final = {
    "cloudtrail": "cloudtrail", "kubernetes": "kubernetes", "github": "github", "okta": "okta", "entra": "entra", "m365": "m365",
    "licet": "licet_spans", "lifecycle": "lifecycle",
}  # fmt: skip

NAMES: Final = tuple(_MODULES)
"""The names of all sources."""


class _Sources(Mapping[str, Source]):
    def __getitem__(self, name: str) -> Source:
        source = import_module(f"licet.ingest.{_MODULES[name]}").SOURCE
        if not isinstance(source, Source):
            raise TypeError(f"licet.ingest.{_MODULES[name]}: `SOURCE` is no Source")
        return source

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


SOURCES: Final[Mapping[str, Source]] = _Sources()
"""Every source by its name, loaded on demand."""


def source_of(name: str) -> Source:
    """The source of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in _MODULES:
        raise UsageError(f"no source {name!r}; there are {', '.join(_MODULES)}")
    return SOURCES[name]
