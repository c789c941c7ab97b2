"""What docs/manifest.md shows, loads; and it leaves no key out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from licet.manifest import Agent, Argument, Budget, Credential, Grant, Manifest, Owner, TaskKind, Tool, TrustedIssuer
from licet.manifest.authority import Authority, AuthorityClient
from licet.manifest.baseline import Baseline, Minimum
from licet.manifest.lint import check
from licet.manifest.models import CheckSettings, Flow, Unless
from licet.manifest.watched import Place
from licet.manifest.yaml_reader import read
from manifests import NOW

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PAGE = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```yaml([^\n]*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WHOLE = [text for title, text in FENCES if "licet.yaml" in title]
PARTS = [text for title, text in FENCES if "licet.yaml" not in title]


@pytest.mark.parametrize("text", WHOLE, ids=range(len(WHOLE)))
def test_whole_manifests_load_without_errors(text: str) -> None:
    """On the day that this page was written."""
    manifest, problems = check(text, name="docs/manifest.md", now=NOW)
    assert manifest is not None
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert {problem.code for problem in problems} <= {"no-origin", "observing", "admin-in-prod", "no-key-file"}


@pytest.mark.parametrize("text", PARTS, ids=range(len(PARTS)))
def test_parts_are_what_the_models_take(text: str) -> None:
    """An example that is refused teaches nothing."""
    document = read(text)
    assert document.refused == []
    for rule in document.data.get("arguments", {}).values():
        Argument.model_validate(rule)
    for budget in document.data.get("budgets", []):
        Budget.model_validate(budget)


@pytest.mark.parametrize(
    "model",
    [
        Manifest, Owner, Agent, Credential, TrustedIssuer, Tool, TaskKind, Grant, Budget, Argument, Flow, Unless, CheckSettings, Authority,
        AuthorityClient, Baseline, Minimum, Place,
    ],
)  # fmt: skip
def test_every_key_is_taught(model: type[BaseModel]) -> None:
    """A key that nobody can read about is used wrongly."""
    for key in model.model_fields:
        assert re.search(rf"`{key}`|`{key}: |\b{key}: ", PAGE), key


def test_there_is_something_to_test() -> None:
    """Else a changed fence would empty the tests above."""
    assert (len(WHOLE), len(PARTS)) == (3, 12)
