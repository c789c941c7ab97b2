"""docs/tokens.md says what the code does: the verifier's steps, the claims, and the times of a rotation."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from documents import example_of
from licet import Guard, KeySet, Verifier, current_call
from licet.catalogue import CHECKS
from licet.clock import lasting
from licet.tokens import MemoryState, Proof
from licet.tokens.ring import DRAIN_SECONDS, PUBLISH_SECONDS
from licet.tokens.steps import STEPS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "tokens.md"
TEXT = PAGE.read_text(encoding="utf-8")
URL = "https://mail.acme.example/send"


def test_the_page_lists_the_verifiers_steps_with_their_clauses_and_answers():
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \| (.*) \|$", TEXT, re.MULTILINE)
    answers = {number: tuple(re.findall(r"\[`([a-z.]+)`\]\(checks/\1\.md\)", checks)) for number, _, _, checks in rows}
    assert [(int(number), what, clause, answers[number]) for number, what, clause, _ in rows] == [
        (step.number, step.what, step.clause, step.checks) for step in STEPS
    ]


def test_each_answer_of_the_verifier_is_on_the_page():
    assert {check for step in STEPS for check in step.checks} == {check for check in CHECKS if check.startswith("token.")}


@pytest.fixture
def minted(tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The claims of a call's token, and of one in a sub-task."""
    (tmp_path / "licet.yaml").write_text(example_of(PAGE).manifest, encoding="utf-8")
    found: list[dict[str, Any]] = []
    with Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state") as guard:

        @guard.tool
        def send_email(to: str, body: str) -> str:
            call = current_call()
            assert call is not None
            found.append(json.loads(urlsafe_b64decode(call.token.split(".")[1] + "==")))
            return "sent"

        with guard.task("answer-ticket", intent="Write to ada@okafor.example", agent="support-bot", principal="user:grace"):
            send_email(to="ada@okafor.example", body="Hello")
            with guard.delegate("send-mail", agent="mail-bot", intent="Send the answer"):
                send_email(to="ada@okafor.example", body="Hello")
    return found[0], found[1]


def test_the_tables_of_claims_list_what_a_token_holds_and_nothing_else(minted: tuple[dict[str, Any], dict[str, Any]]):
    claims, members = TEXT.split("## The claims")[1].split("| member of `tctx` |")
    members = members.split("\n## ")[0]
    assert _first_cells(claims) == set(minted[0])
    assert _first_cells(members) == set(minted[0]["tctx"])


def test_a_sub_tasks_token_names_the_chain_as_the_page_says(minted: tuple[dict[str, Any], dict[str, Any]]):
    above, below = minted
    assert below["client_id"] == "mail-bot"
    assert below["act"] == {"sub": "mail-bot", "act": {"sub": "support-bot"}}
    assert below["txn"] == above["txn"] == above["tctx"]["task_id"] != below["tctx"]["task_id"]
    assert below["tctx"]["layers"][: len(above["tctx"]["layers"])] == above["tctx"]["layers"]


def test_the_page_says_the_times_of_a_rotation():
    rotation = TEXT.split("### Rotation")[1].split("## ")[0]
    assert f"signs {lasting(PUBLISH_SECONDS)} later" in rotation
    assert f"published for {lasting(DRAIN_SECONDS)} more" in rotation


def test_a_verifier_without_the_shared_store_does_not_see_a_use_elsewhere_nor_the_end_of_the_task(tmp_path: Path):
    """What docs/tokens.md and docs/limits.md say of it."""
    (tmp_path / "licet.yaml").write_text(example_of(PAGE).manifest, encoding="utf-8")
    kept: list[tuple[str, Proof]] = []
    with Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state") as guard:

        @guard.tool
        def send_email(to: str, body: str) -> str:
            call = current_call()
            assert call is not None
            headers = call.headers_for("POST", URL)
            kept.append((headers["Licet-Call-Token"], Proof(headers["DPoP"], "POST", URL)))
            return "sent"

        with guard.task("answer-ticket", intent="Write to ada@okafor.example", agent="support-bot", principal="user:grace"):
            send_email(to="ada@okafor.example", body="Hello")
        keys, issuer = KeySet.of(guard.jwks()), guard.issuer

    [(token, proof)] = kept
    for state in (MemoryState(), MemoryState()):  # two verifiers, each by itself, and the task is over
        verifier = Verifier(keys, issuer=issuer, audience="https://mail.acme.example", state=state)
        assert verifier.verify(token, tool="send_email", arguments={"to": "ada@okafor.example", "body": "Hello"}, proof=proof).tool


def test_the_sample_for_pyjwt_reads_numbers_as_they_were_judged(tmp_path: Path):
    """RFC 8785 writes 2.0 as `2` and 1e-7 as `1e-7`; Python's `json` does not."""
    pytest.importorskip("rfc8785")
    [sample] = [block for block in re.findall(r"^```python[^\n]*\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) if "def check(" in block]
    known: dict[str, Any] = {"json": json, "Path": Path, "MAIL": "https://mail.acme.example"}
    exec(sample.split("\nkeys, used =")[0], known)
    (tmp_path / "licet.yaml").write_text(example_of(PAGE).manifest, encoding="utf-8")
    arguments: dict[str, Any] = {
        "to": "ada@okafor.example",
        "body": "späť",
        "share": 2.0,
        "least": 1e-7,
        "more": {"€": None, "a": [1e21, -0.0]},
    }
    answers: list[str] = []
    with Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state", issuer="https://licet.acme.example") as guard:

        @guard.tool
        def send_email(to: str, body: str, share: float, least: float, more: dict[str, Any]) -> str:
            call = current_call()
            assert call is not None
            headers = call.headers_for("POST", URL)
            request = {"keys": known["jwt"].PyJWKSet.from_dict(guard.jwks()), "method": "POST", "url": URL, "tool": "send_email"}
            for given in (arguments, arguments | {"least": 1e-6}):
                try:
                    claims = known["check"](headers["Licet-Call-Token"], headers["DPoP"], arguments=given, first=lambda _: True, **request)
                    answers.append(claims["client_id"])
                except PermissionError as refusal:
                    answers.append(str(refusal))
            return "sent"

        with guard.task("answer-ticket", intent="Write to ada@okafor.example", agent="support-bot", principal="user:grace"):
            send_email(**arguments)
    assert answers == ["support-bot", "not a token for this call"]


def _first_cells(text: str) -> set[str]:
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
