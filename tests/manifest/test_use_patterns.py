"""Patterns of uses: what a manifest and an import take are the same, with the spaces that Entra's operations have."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from jsonschema_rs import validator_for
from pydantic import ValidationError

from licet.inventory.said import said_by
from licet.inventory.tabled import Line, row_of
from licet.manifest.watched import Watched

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

GOOD = ("s3:*", "s3:GetObject", "core:get/secrets", "entra:Add service principal credentials", "entra:Update application*", "entra:A b c*")
BAD = ("*", "s3", "s3: GetObject", "s3:Get Object ", "s3:Get *", "s3:*Object", "s3:a\nb", "entra:Add\tthis", " s3:a", "")


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_is_taken_by_manifest_schema_and_import(pattern: str) -> None:
    assert Watched(uses=(pattern,)).uses == (pattern,)
    assert said_by({"identity": "a", "uses": [pattern]}, str, 0.0).identities[0].declared.uses == (pattern,)
    schema = json.loads(files("licet.manifest").joinpath("licet.schema.json").read_text())
    use = {"$ref": "#/$defs/Agent/properties/uses"} | {"$defs": schema["$defs"]}
    assert validator_for(use).is_valid([pattern])


@pytest.mark.parametrize("pattern", BAD)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Watched(uses=(pattern,))


def test_in_a_cell_of_csv_a_pattern_with_spaces_stands_in_quotes() -> None:
    cell = '"entra:Add service principal" s3:GetObject'
    assert row_of(Line(1, {"uses": cell}, {"uses": 1}))["uses"] == ["entra:Add service principal", "s3:GetObject"]
