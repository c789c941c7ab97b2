"""What happened in a task, for people: the intent trace as a tree, the chain graph as a picture. Everything shown is made visible."""

from licet.report.digest import Case, Table, digest_page
from licet.report.graphml import graphml
from licet.report.page import is_page, page
from licet.report.story import NO_WORDS, Story, cited, collect
from licet.report.svg import svg
from licet.report.tree import principal_of, trace

__all__ = [
    "NO_WORDS",
    "Case",
    "Story",
    "Table",
    "cited",
    "collect",
    "digest_page",
    "graphml",
    "is_page",
    "page",
    "principal_of",
    "svg",
    "trace",
]
