"""A real takeover of an application, by the commands alone: one incident, with its reasons in order.

The records are those that OTRF published (https://github.com/OTRF/Security-Datasets, SimuLand's Golden SAML, MIT).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main

DATA = Path(__file__).parents[3] / "shared" / "data" / "nhi" / "otrf_goldensaml"
TOLD = (("entra", "AADAuditEvents.json"), ("m365", "OfficeActivityEvents.json"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the published records are not here")


@pytest.fixture(params=["in order", "mail first"])
def found(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    order = TOLD if request.param == "in order" else TOLD[::-1]
    for source, name in order:
        assert main(["ingest", source, str(DATA / name), "--state", str(tmp_path)]) == 0
        assert main(["monitor", "--state", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["findings", "--json", "--state", str(tmp_path)]) == 0
    findings: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return [each for each in findings if each["identity"]]


def test_it_is_one_incident_with_its_reasons_in_their_order(found: list[dict[str, Any]]) -> None:
    assert len(found) == 1
    codes = [each["code"] for each in found[0]["because"]]
    wanted = ["APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE"]
    assert [code for code in dict.fromkeys(codes) if code in wanted] == wanted
    assert "MailItemsAccessed" in found[0]["because"][-1]["observed"]
    assert [each["time"] for each in found[0]["because"]] == sorted(each["time"] for each in found[0]["because"])


def test_it_cites_each_step_by_the_platforms_own_ids(found: list[dict[str, Any]]) -> None:
    published = {json.loads(line)["Id"] for line in (DATA / TOLD[0][1]).read_text(encoding="utf-8").splitlines()}
    cited = {each["native_id"] for each in found[0]["evidence"]}
    assert len(published & cited) >= 3
    assert {each["source"] for each in found[0]["evidence"]} == {"entra", "m365"}


def test_the_application_is_called_by_its_name(found: list[dict[str, Any]]) -> None:
    """No sign-in tells it: only what was changed is named in the record of the change."""
    assert "may do more (SimuLandApp): graph:Mail.ReadWrite" in found[0]["sentence"]
