"""`licet token`: what is shown of a token, why it is refused, and that it is refused once it is revoked."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import evidence
import licet
from licet import Guard
from licet.cli import main
from licet.errors import TokenRefused
from licet.machine import user_name
from licet.records import Finding
from licet.store import SqliteStore
from licet.testing import FakeClock
from licet.tokens import SigningKey, Verifier
from licet.tokens.steps import STEPS
from state_fixture import MANIFEST, manifest_in

Out = pytest.CaptureFixture[str]
PAY = "https://pay.acme.example"
ARGUMENTS = '{"to": "ada@acme.example", "body": "hi"}'
BOUND = {"amount": 5}


@dataclass(frozen=True)
class Place:
    """A guard with an open task, a token that stays in the process, and one that is bound to a key, with its proof."""

    state: Path
    guard: Guard
    task: str
    inner: str
    bound: str
    proof: str

    def verifier(self, store: SqliteStore) -> Verifier:
        return Verifier(self.guard.jwks(), issuer=self.guard.issuer, audience="urn:licet:tool:send_email", state=store, bound=False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    state = tmp_path / "state"
    monkeypatch.setenv("LICET_STATE", str(state))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("LICET_SIGNING_KEY", raising=False)
    manifest = manifest_in(tmp_path)
    pay = "  pay: {access: write, egress: true, "
    assert pay in MANIFEST
    text = MANIFEST.replace(pay, f"{pay}audience: {PAY!r}, envelope: at+jwt, ").replace("pay: {ask: true}", "pay: {}")
    manifest.write_text(text, encoding="utf-8")
    made: dict[str, str] = {}
    with Guard.from_file(manifest, state=state) as guard:

        @guard.tool
        def send_email(to: str, body: str) -> None:
            made["inner"] = licet.current_call().token

        @guard.tool
        def pay(amount: int) -> None:
            headers = licet.current_call().headers_for("POST", f"{PAY}/pay")
            made.update(bound=headers["Authorization"].removeprefix("DPoP "), proof=headers["DPoP"])

        with guard.task("answer", intent="Pay 5 and mail ada@acme.example", agent="bot", principal="user:grace") as task:
            send_email("ada@acme.example", "hi")
            pay(5)
            yield Place(state, guard, task.id, **made)


def on_input(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(token.encode())))


def said(capsys: Out, *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["token", *words, "--json"])
    out = capsys.readouterr().out
    assert out.isascii()
    return code, json.loads(out)


def looked(capsys: Out, place: Place, *more: str, token: str = "", arguments: str = ARGUMENTS) -> tuple[int, dict[str, Any]]:
    words = ["verify", token or place.inner, "--tool", "send_email", "--arguments", arguments, *more]
    return said(capsys, *words, *([] if "--proof" in more else ["--no-proof"]))


def bound_look(place: Place, *more: str) -> list[str]:
    where = ["--audience", PAY, "--typ", "at+jwt", "--tool", "pay", "--arguments", json.dumps(BOUND)]
    return ["verify", place.bound, *where, *more]


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(claims: Mapping[str, Any], **header: str) -> str:
    return f"{part({'alg': 'EdDSA', **header})}.{part(claims)}.{part({})}"


def states(told: Mapping[str, Any]) -> str:
    return "".join({"ok": "+", "failed": "x", "skipped": "."}[row["state"]] for row in told["steps"])


def records(place: Place, kind: str) -> list[dict[str, Any]]:
    evidence.whole(place.guard)
    return evidence.records(place.guard, kind)


# Show ------------------------------------------------------------------------------------------------------------------


def test_show_says_first_that_nothing_is_verified(place: Place, capsys: Out) -> None:
    assert main(["token", "show", place.bound]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first == "nothing here is verified: anybody can have written it"
    told = dict(row.split("  ", 1) for row in rows)
    told = {name: value.strip() for name, value in told.items()}
    assert told["header typ"] == "at+jwt"
    assert told["for"] == "user:grace"
    assert told["for is"] == "asserted"
    assert told["agent"] == "bot"
    assert told["agent is"] == "asserted"
    assert (told["task"], told["tool"], told["audience"]) == (place.task, "pay", PAY)
    assert told["bound to"].startswith("the key ")
    assert told["expires"].endswith(" s)")
    assert "Z (in " in told["expires"]


def test_show_never_prints_the_signature_or_a_part_of_the_token_as_it_came(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    for more in ([], ["--json"]):
        on_input(monkeypatch, f"{place.bound}\n")
        assert main(["token", "show", *more]) == 0
        on_input(monkeypatch, f"{place.bound}=")  # a damaged one
        assert main(["token", "show", "-", *more]) == 1
    out, err = capsys.readouterr()
    assert all(piece not in out + err for piece in place.bound.split("."))


def test_show_names_the_agents_of_a_chain_and_the_key_that_is_missing(capsys: Out) -> None:
    claims = {"client_id": "helper", "act": {"sub": "helper", "act": {"sub": "bot"}}, "tctx": {"sub_is": "proved"}, "exp": 1_000_000_000}
    token = forged(claims)
    main(["token", "show", token])
    out = capsys.readouterr().out
    assert 'acts for the next       ["helper", "bot"]' in out
    assert "for is                  proved" in out
    assert "no key: whoever sees it can present it" in out
    assert "2001-09-09T01:46:40.000Z (" in out
    assert " ago)" in out
    code, told = said(capsys, "show", token)
    assert (code, told["verified"], told["agents"], told["bound_to"]) == (0, False, ["helper", "bot"], None)
    assert told["seconds_left"] < 0


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "a\x1b[2Jb", "tctx": {"intent": "\u202etxt", "\x07": 1}, "\x1b]0;x\x07": "y"},
        {
            "exp": 1e300,
            "iat": -1e300,
            "nbf": True,
            "act": [],
            "cnf": {"jkt": 5},
            "aud": ["x\x1b"],
            "tctx": "\x1b",
            "authorization_details": [1],
        },
        {"exp": 9_007_199_254_740_991, "client_id": {"\x1b": "\x1b"}, "act": {"sub": {"\x1b": 1}}, "tctx": {"sub_is": ["\x1b"]}, "cnf": []},
        {},
    ],
)
def test_what_a_stranger_wrote_cannot_act_on_the_terminal(claims: dict[str, Any], capsys: Out) -> None:
    token = forged(claims, kid="\x1b[31m", typ="x\u202e")
    assert main(["token", "show", token]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\x07" not in out
    assert "\\u{1b}[31m" in out
    assert said(capsys, "show", token)[1]["claims"] == json.loads(json.dumps(claims))


@pytest.mark.parametrize(
    "token,step,why",
    [
        ("abc", 1, "three parts"),
        ("a.b.c", 1, "base64url"),
        ("\x1b[2J.a.b", 1, "base64url"),
        ("é" * 10, 1, "three parts"),
        ("A" * 9_000, 1, "longer"),
        (f"{part({'alg': 'none', 'jku': 'https://x'})}.{part({})}.AA", 2, "header `jku` may not stand in a token"),
        (f"{part({'alg': 'none', chr(27): 'x'})}.{part({})}.AA", 2, "is not known here"),
        (f"{part([])}.{part({})}.AA", 2, "not a JSON object"),
        (f"{part({'alg': 'EdDSA'})}.{part([])}.AA", 6, "not a JSON object"),
        ("eyJhbGciOiJFZERTQSJ9.eyJhIjoxLCJhIjoyfQ.AA", 6, "two members of one name"),
    ],
)
def test_what_is_no_token_is_refused_with_the_step_and_the_reason(
    token: str, step: int, why: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_input(monkeypatch, token)
    assert main(["token", "show"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"step {step}: " in err
    assert why in err
    assert "\x1b" not in err
    on_input(monkeypatch, token)
    code, told = said(capsys, "show")
    assert (code, told["verified"], told["step"], told["check"]) == (1, False, step, "token.malformed")


def test_no_token_at_all_exits_2(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    on_input(monkeypatch, "\n")
    for words in (["show"], ["show", ""], ["verify", "", "--tool", "pay", "--arguments", "{}"]):
        assert main(["token", *words]) == 2
        assert "the token is empty (an unset variable?): hand it in" in capsys.readouterr().err


# Verify ----------------------------------------------------------------------------------------------------------------


def test_a_good_token_is_good_as_often_as_it_is_looked_at(place: Place, capsys: Out) -> None:
    for _ in range(3):
        code, told = looked(capsys, place)
        assert (code, told["ok"], told["burned"], told["task"]) == (0, True, False, place.task)
        assert states(told) == "+++++++++.+++"
    with closing(SqliteStore(place.state / "licet.db")) as store:
        found = place.verifier(store).verify(place.inner, tool="send_email", arguments=json.loads(ARGUMENTS))
        assert found.task == place.task
        assert store.findings() == []
    code, told = looked(capsys, place)
    assert (code, told["step"], told["check"], states(told)) == (1, 11, "token.replay", "+++++++++.x++")
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert store.findings() == []


def test_each_step_is_printed_with_its_clause(place: Place, capsys: Out) -> None:
    assert main(["token", "verify", place.inner, "--tool", "send_email", "--arguments", "{}", "--no-proof"]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    for step in STEPS:
        assert any(line.startswith(f"{step.number:2}  ") and line.endswith(f"  {step.what}  ({step.clause})") for line in lines)
    assert lines[-1] == "refused at step 9 [token.binding]: the arguments are not those that were judged"
    assert lines[8].startswith(" 9  failed ")
    assert lines[10].startswith("10  not looked at ")
    assert place.inner.split(".")[2] not in out


@pytest.mark.parametrize(
    "more,step,check,shown",
    [
        (["--typ", "at+jwt"], 3, "token.type", "++x.........."),
        (["--issuer", "x"], 7, "token.issuer", "++++++x++.+++"),
        (["--audience", "x"], 7, "token.audience", "++++++x++.+++"),
        (["--actor", "other"], 8, "token.actor", "+++++++x+.+++"),
        (["--task", "other"], 9, "token.binding", "++++++++x.+++"),
        (["--definition", "sha256:0"], 9, "token.binding", "++++++++x.+++"),
        (["--tool", "read_ticket", "--audience", "urn:licet:tool:send_email"], 9, "token.binding", "++++++++x.+++"),
    ],
)
def test_a_token_for_something_else_is_refused_at_its_step(
    more: list[str], step: int, check: str, shown: str, place: Place, capsys: Out
) -> None:
    code, told = looked(capsys, place, *more)
    assert (code, told["ok"], told["step"], told["check"], states(told)) == (1, False, step, check, shown)


def test_a_token_with_another_signature_or_key_is_refused_at_its_step(place: Place, capsys: Out) -> None:
    head, body, _ = place.inner.split(".")
    other = SigningKey.generate()
    signed = f"{head}.{body}.{base64.urlsafe_b64encode(other.sign(f'{head}.{body}'.encode())).rstrip(b'=').decode()}"
    code, told = looked(capsys, place, token=signed)
    assert (code, told["step"], states(told)) == (1, 5, "++++x........")
    foreign = forged({}, typ="licet-call+jwt", kid=other.kid)
    code, told = looked(capsys, place, token=foreign)
    assert (code, told["step"], states(told)) == (1, 4, "+++x.........")
    code, told = looked(capsys, place, token="x")
    assert (code, told["step"], states(told)) == (1, 1, "x............")


def test_a_bound_token_needs_its_proof(place: Place, capsys: Out, tmp_path: Path) -> None:
    assert main(["token", *bound_look(place)]) == 1
    out = capsys.readouterr().out
    assert "refused at step 10 [token.proof]: the token is bound to a key, and no proof of it came along" in out
    assert "needs a proof: --proof with --method and --url; `--no-proof` leaves that out" in out
    code, told = said(capsys, *bound_look(place, "--no-proof"))
    assert (code, states(told)) == (0, "+++++++++.+++")
    proof = tmp_path / "proof"
    proof.write_text(f"{place.proof}\n", encoding="ascii")
    for given in (place.proof, f"@{proof}"):
        code, told = said(capsys, *bound_look(place, "--proof", given, "--method", "POST", "--url", f"{PAY}/pay"))
        assert (code, states(told)) == (0, "+++++++++++++")
    code, told = said(capsys, *bound_look(place, "--proof", place.proof, "--method", "POST", "--url", f"{PAY}/other"))
    assert (code, told["step"], told["why"]) == (1, 10, "the proof is for another request")


def test_a_token_that_is_bound_to_nothing_is_not_said_to_need_a_proof(place: Place, capsys: Out) -> None:
    assert main(["token", "verify", place.inner, "--tool", "send_email", "--arguments", ARGUMENTS]) == 1
    out = capsys.readouterr().out
    assert "refused at step 10 [token.proof]" in out
    assert "only the process that it was made in takes it; `--no-proof` leaves that out" in out


def test_a_step_that_fails_does_not_hide_those_behind_it(place: Place, capsys: Out) -> None:
    """After an incident a token is always over: the question is what else there is to say."""
    main(["token", "revoke", "--agent", "bot", "--reason", "INC-1"])
    more = ["--issuer", "x", "--audience", "y", "--actor", "other"]
    code, told = looked(capsys, place, *more, arguments="{}")
    assert (code, told["check"], states(told)) == (1, "token.issuer", "++++++xxx.+x+")
    assert [(row["step"], row["check"]) for row in told["also"]] == [
        (7, "token.audience"), (8, "token.actor"), (9, "token.binding"), (12, "token.revoked"),
    ]  # fmt: skip
    assert told["why"] == f"the token is of another issuer: expected x, found {place.guard.issuer}"
    assert told["also"][0]["why"] == "the token is for another audience: expected y, found urn:licet:tool:send_email"
    assert told["steps"][6]["why"] == f"{told['why']}; {told['also'][0]['why']}"
    assert main(["token", *bound_look(place, "--actor", "other")]) == 1
    out = capsys.readouterr().out
    assert "refused at step 8 [token.actor]: the token's agent is not the one that was authenticated\n" in out
    assert "and would be at step 10 [token.proof]: the token is bound to a key, and no proof of it came along\n" in out
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert (store.findings(), store.is_spent(jti(place))) == ([], False)


def test_a_token_that_is_over_is_looked_at_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    """Forensics: over, of a task that has ended, and otherwise for this very call. Whether it was used may be forgotten: nothing is claimed."""
    monkeypatch.delenv("LICET_SIGNING_KEY", raising=False)
    manifest_in(tmp_path).write_text(MANIFEST.replace("pay: {ask: true}", "pay: {}"), encoding="utf-8")
    held: list[str] = []
    with Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state", clock=FakeClock(time.time() - 600)) as guard:
        pay = guard.wrap(lambda amount: held.append(licet.current_call().token), name="pay")
        with guard.task("answer", intent="Pay 5", agent="bot", principal="user:grace"):
            pay(amount=5)
    state = str(tmp_path / "state")
    words = ["verify", held[0], "--tool", "pay", "--no-proof", "--state", state, "--arguments"]
    code, told = said(capsys, *words, json.dumps(BOUND))
    assert (code, told["check"], states(told)) == (1, "token.time", "++++++x++..x+")
    assert [row["check"] for row in told["also"]] == ["token.ended"]
    code, told = said(capsys, *words, "{}")
    assert (code, states(told)) == (1, "++++++x+x..x+")


def test_what_the_guard_mints_for_a_tool_is_taken_from_its_manifest(place: Place, tmp_path: Path, capsys: Out) -> None:
    """Audience, envelope, issuer and pinned definition, unless the command says otherwise."""
    manifest = tmp_path / "licet.yaml"
    words = ["verify", place.bound, "--tool", "pay", "--arguments", json.dumps(BOUND), "--no-proof", "-m", str(manifest)]
    code, told = said(capsys, *words)
    assert (code, states(told)) == (0, "+++++++++.+++")
    assert said(capsys, *words, "--audience", "x")[1]["check"] == "token.audience"
    assert said(capsys, *words, "--typ", "licet-call+jwt")[1]["check"] == "token.type"
    whole = manifest.read_text(encoding="utf-8")
    manifest.write_text(whole.replace("envelope: at+jwt, ", f"envelope: at+jwt, definition: 'sha256:{'0' * 64}', "), encoding="utf-8")
    code, told = said(capsys, *words)
    assert (code, told["why"]) == (1, "the tool's definition is not the one that the token was minted for")
    manifest.write_text(whole + "authority: {issuer: 'https://guard.acme.example'}\n", encoding="utf-8")
    code, told = said(capsys, *words)
    assert (code, told["why"]) == (
        1, f"the token is of another issuer: expected https://guard.acme.example, found {place.guard.issuer}",
    )  # fmt: skip
    assert said(capsys, *words, "--issuer", place.guard.issuer)[0] == 0
    assert main(["token", *words[:2], "--tool", "nothing", *words[4:]]) == 2
    assert "no tool 'nothing'; declared: read_ticket, send_email, pay" in capsys.readouterr().err


def test_burn_uses_a_token_up_once(place: Place, capsys: Out) -> None:
    proved = bound_look(place, "--burn", "--proof", place.proof, "--method", "POST", "--url", f"{PAY}/pay")
    code, told = said(capsys, *proved)
    assert (code, told["burned"]) == (0, True)
    code, told = said(capsys, *proved)
    assert (code, told["check"], states(told)) == (1, "token.replay", "++++++++++x++")
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert [finding.check for finding in store.findings()] == ["token.replay"]


def test_with_keys_from_a_file_and_no_store_nothing_is_said_of_use_and_revocation(place: Place, capsys: Out, tmp_path: Path) -> None:
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(place.guard.jwks()), encoding="utf-8")
    code, told = looked(capsys, place, "--jwks", str(jwks), "--issuer", place.guard.issuer)
    assert (code, states(told)) == (0, "+++++++++...+")
    main(["token", "revoke", "--agent", "bot", "--reason", "x"])
    assert looked(capsys, place, "--jwks", str(jwks), "--issuer", place.guard.issuer)[0] == 0
    code, told = looked(capsys, place, "--jwks", str(jwks), "--issuer", place.guard.issuer, "--state", str(place.state))
    assert (code, told["step"], states(told)) == (1, 12, "+++++++++.+x+")


@pytest.mark.parametrize(
    "more,why",
    [
        (["--jwks", "FILE"], "--jwks needs --issuer"),
        (["--jwks", "/nowhere", "--issuer", "x"], "cannot be read"),
        (["--jwks", "FILE", "--issuer", "x"], "not a JWK set"),
        (["--jwks", "FILE", "--issuer", "x", "--burn"], "looked at whole"),
        (["--burn"], "looked at whole"),
        (["--proof", "x"], "--proof needs --method and --url"),
        (["--arguments", "[1]"], "is not a JSON object"),
        (["--arguments", "{"], "is not JSON"),
        (["--arguments", '{"a": 1, "a": 2}'], "two members of one name"),
        (["--arguments", "@/nowhere"], "cannot be read"),
        (["--state", "/nowhere"], "there is nothing here yet"),
    ],
)
def test_what_cannot_be_held_against_a_token_exits_2(more: list[str], why: str, place: Place, capsys: Out, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}", encoding="utf-8")
    words = [str(tmp_path / "file") if word == "FILE" else word for word in more]
    last = [] if "--proof" in more else ["--no-proof"]
    assert main(["token", "verify", place.inner, "--tool", "send_email", "--arguments", ARGUMENTS, *words, *last]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err


def test_the_arguments_may_come_from_a_file_and_the_token_from_standard_input(place: Place, tmp_path: Path) -> None:
    (tmp_path / "arguments.json").write_text(ARGUMENTS, encoding="utf-8")
    words = ["verify", "--tool", "send_email", "--arguments", f"@{tmp_path / 'arguments.json'}", "--no-proof"]
    ran = subprocess.run(
        [sys.executable, "-m", "licet", "token", *words], input=f"{place.inner}\n", capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0
    assert "good for this call of send_email, as far as it was looked at: not at step 10; it was not used up" in ran.stdout


def test_a_store_that_cannot_be_asked_is_a_refusal(place: Place, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(place.state / "licet.db")) as store, store.transaction() as tx:
        tx._db.execute("DROP TABLE spent")
    code, told = looked(capsys, place)
    assert (code, told["step"], told["check"], states(told)) == (1, 13, "token.undecided", "+++++++++...x")


# Revoke ----------------------------------------------------------------------------------------------------------------


def refused(place: Place) -> str:
    with closing(SqliteStore(place.state / "licet.db")) as store, pytest.raises(TokenRefused) as error:
        place.verifier(store).verify(place.inner, tool="send_email", arguments=json.loads(ARGUMENTS))
    return error.value.check


def claims_in(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def jti(place: Place) -> str:
    found: str = claims_in(place.inner)["jti"]
    return found


@pytest.mark.parametrize("kind", ["task", "agent", "key", "jti"])
def test_a_revoked_token_is_refused_and_the_ledger_says_by_whom(kind: str, place: Place, capsys: Out) -> None:
    kid = json.loads(base64.urlsafe_b64decode(place.inner.split(".", maxsplit=1)[0] + "=="))["kid"]
    name = {"task": place.task, "agent": "bot", "key": kid, "jti": jti(place)}[kind]
    given = name[:9] if kind in ("task", "key") else name
    code, told = said(capsys, "revoke", f"--{kind}={given}", "--reason", "INC-4312 \x1b[2J")
    assert (code, told["kind"], told["value"], told["new"]) == (0, kind, name, True)
    assert told["tokens_affected"] == {"task": 2, "agent": 2, "key": None, "jti": 1}[kind]
    assert refused(place) == ("token.ended" if kind == "task" else "token.revoked")
    (record,) = records(place, "token.revoke")
    assert (record["mark"], record["value"], record["why"]) == (kind, name, "INC-4312 \\u{1b}[2J")
    assert record["by"] == f"command line, {user_name()}"
    code, told = said(capsys, "revoke", f"--{kind}={given}", "--reason", "again")
    assert (code, told["new"]) == (1, False)
    _, told = said(capsys, "revoked")
    (entry,) = [entry for entry in told["revoked"] if entry["kind"] == kind]
    assert (entry["value"], entry["reason"], entry["by"]) == (name, "INC-4312 \\u{1b}[2J", f"command line, {user_name()}")


def test_a_revoked_task_ends_with_those_below_it(place: Place, capsys: Out) -> None:
    with place.guard.delegate("lookup", agent="helper", intent="Look up Ada", tools=["read_ticket"]) as child:
        assert main(["token", "revoke", "--task", place.task, "--reason", "wrong customer", "--for", "2h"]) == 0
        assert "the task ended with it" in capsys.readouterr().out
        with closing(SqliteStore(place.state / "licet.db")) as store:
            task = store.task(place.task)
            assert task is not None
            assert task.ended is not None
            entry = store.revoked([("task", child.id)], time.time())
            assert entry is not None
            assert entry.reason == "wrong customer"
    (record,) = records(place, "task.end")[:1]
    assert (record["task"], record["by"]) == (place.task, f"command line, {user_name()}")


def test_only_tokens_that_carry_the_mark_and_may_be_alive_are_counted(place: Place, capsys: Out) -> None:
    with place.guard.task("answer", intent="Mail ada@acme.example", agent="helper", principal="user:x") as other:
        send = place.guard.wrap(lambda to, body: None, name="send_email")
        send(to="ada@acme.example", body="x")
    with closing(SqliteStore(place.state / "licet.db")) as store:
        ids = [call.jti for call in (*store.calls(place.task), *store.calls(other.id))]
        assert len(set(ids)) == 3
        for mark, count in (
            (("task", place.task), 2),
            (("task", other.id), 1),
            (("agent", "bot"), 2),
            (("agent", "helper"), 1),
            (("jti", ids[2]), 1),
        ):
            assert store.issued(mark, 0.0) == count
            assert store.issued(mark, time.time() + 1) == 0
    assert said(capsys, "revoke", "--agent", "helper", "--reason", "x")[1]["tokens_affected"] == 1


def test_a_task_that_ends_stays_refused_though_an_older_entry_ran_out(place: Place) -> None:
    with closing(SqliteStore(place.state / "licet.db")) as store:
        now = time.time()
        store.revoke(licet.records.Revocation(("task", place.task), now - 60, now - 30, "short", "somebody"))
        assert store.end_task(place.task, now, "test")
        entry = store.revoked([("task", place.task)], now)
        assert entry is not None
        assert (entry.reason, entry.by) == ("the task ended", "test")
        assert entry.until > now + 3_600


def test_an_entry_holds_as_long_as_it_says(place: Place, capsys: Out) -> None:
    now = time.time()
    for words, least in (
        (["--agent", "bot"], 86_400),
        (["--agent", "bot", "--for", "48h"], 2 * 86_400),
        (["--key", "no.such.key", "--force"], 3_650 * 86_400),  # a dot is in no key's id, of which any beginning would do
    ):
        main(["token", "revoke", *words, "--reason", "x"])
        mark = (words[0][2:], words[1])
        with closing(SqliteStore(place.state / "licet.db")) as store:
            assert store.revoked([mark], now + least - 1) is not None
            assert store.revoked([mark], now + least + 60) is None


def test_a_call_that_is_still_running_can_have_its_token_revoked(place: Place, capsys: Out) -> None:
    """From inside the tool, before anybody has seen the token's use."""
    told: list[tuple[int, dict[str, Any]]] = []

    def read_slowly(to: str, body: str) -> None:
        call = licet.current_call()
        told.append(said(capsys, "revoke", "--jti", claims_in(call.token)["jti"], "--reason", "stop it"))
        with closing(SqliteStore(place.state / "licet.db")) as store, pytest.raises(TokenRefused) as error:
            place.verifier(store).verify(call.token, tool="send_email", arguments={"to": to, "body": body})
        assert error.value.check == "token.revoked"

    with place.guard.task("answer", intent="Mail ada@acme.example", agent="bot", principal="user:grace"):
        place.guard.wrap(read_slowly, name="send_email")(to="ada@acme.example", body="x")
    [(code, revoked)] = told
    assert (code, revoked["kind"], revoked["new"], revoked["tokens_affected"]) == (0, "jti", True, 1)


@pytest.mark.parametrize(
    "words", [["--task", "zz"], ["--agent", "bott"], ["--agent", "%"], ["--key", "zz"], ["--jti", "zz"], ["--agent", "\x1b[2J"]]
)
def test_a_name_that_is_not_known_is_refused_unless_forced(words: list[str], place: Place, capsys: Out) -> None:
    assert main(["token", "revoke", *words, "--reason", "x"]) == 2
    err = capsys.readouterr().err
    assert "`--force` puts" in err
    assert "\x1b" not in err
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert store.revocations(time.time()) == []
    assert records(place, "token.revoke") == []
    assert main(["token", "revoke", *words, "--reason", "x", "--force"]) == 0
    assert main(["token", "revoked"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert [entry.mark for entry in store.revocations(time.time())] == [(words[0][2:], words[1])]


def test_a_key_is_known_though_nothing_but_the_environment_has_it(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    held = SigningKey.generate()
    monkeypatch.setenv("LICET_SIGNING_KEY", held.pem().decode())
    code, told = said(capsys, "revoke", f"--key={held.kid[:10]}", "--reason", "x")
    assert (code, told["value"]) == (0, held.kid)


@pytest.mark.parametrize(
    "words", [["--reason", ""], ["--reason", "x" * 501], [], ["--reason", "x", "--for", "0s"], ["--reason", "x", "--jti", "y"]]
)
def test_a_revocation_without_a_reason_or_with_two_names_exits_2(words: list[str], place: Place, capsys: Out) -> None:
    assert main(["token", "revoke", "--agent", "bot", *words]) == 2
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert store.revocations(time.time()) == []


def test_what_the_ledger_cannot_take_is_not_revoked(place: Place, capsys: Out) -> None:
    (place.state / "ledger").rename(place.state / "away")
    (place.state / "ledger").touch()
    assert main(["token", "revoke", "--agent", "bot", "--reason", "x"]) == 2
    with closing(SqliteStore(place.state / "licet.db")) as store:
        assert store.revocations(time.time()) == []
    (place.state / "ledger").unlink()
    (place.state / "away").rename(place.state / "ledger")


def test_tasks_that_only_ended_are_counted_and_not_listed(place: Place, capsys: Out) -> None:
    """Each task ends; what somebody revoked must be seen among them."""
    for _ in range(2):
        with place.guard.task("lookup", intent="Look", agent="helper", principal="user:x") as ended:
            pass
    assert main(["token", "revoked"]) == 0
    assert capsys.readouterr().out == "nothing is revoked\n2 ended tasks not shown: `--all` shows them\n"
    main(["token", "revoke", "--agent", "bot", "--reason", "INC-1"])
    main(["token", "revoke", "--task", place.task, "--reason", "wrong customer"])
    _, told = said(capsys, "revoked")
    assert ([(entry["kind"], entry["reason"]) for entry in told["revoked"]], told["hidden"]) == (
        [("agent", "INC-1"), ("task", "wrong customer")],
        2,
    )
    _, told = said(capsys, "revoked", "--kind", "agent")
    assert ([entry["kind"] for entry in told["revoked"]], told["hidden"]) == (["agent"], 0)
    _, told = said(capsys, "revoked", "--kind", "task", "--all")
    assert ([entry["kind"] for entry in told["revoked"]], told["hidden"]) == (["task"] * 3, 0)
    assert main(["token", "revoked", "--all"]) == 0
    out = capsys.readouterr().out
    assert f"task  {ended.id}" in out
    assert "not shown" not in out


def test_an_empty_deny_list_says_so(place: Place, capsys: Out) -> None:
    assert main(["token", "revoked"]) == 0
    assert capsys.readouterr().out == "nothing is revoked\n"


@pytest.mark.parametrize(
    "words",
    [
        ["token"],
        ["token", "show"],
        ["token", "verify"],
        ["token", "revoke"],
        ["token", "revoked"],
        ["keys"],
        ["keys", "list"],
        ["keys", "rotate"],
        ["keys", "retire"],
        ["keys", "jwks"],
    ],
)
def test_each_help_ends_with_an_example(words: list[str], capsys: Out) -> None:
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"example: licet {words[0]}" in out


def test_the_steps_are_numbered_and_know_every_check_of_the_verifier() -> None:
    assert [step.number for step in STEPS] == list(range(1, 14))
    source = "".join(
        (Path(licet.__file__).parent / "tokens" / name).read_text(encoding="utf-8")
        for name in ("verifier.py", "claims.py", "jws.py", "dpop.py")
    )
    used = {piece.split('"')[0] for piece in source.split('"token.')[1:]}
    assert {f"token.{check}" for check in used} == {check for step in STEPS for check in step.checks}


def test_the_page_on_the_command_line_has_each_command_of_both() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for words in ("keys list", "keys rotate", "keys retire", "keys jwks", "token show", "token verify", "token revoke", "token revoked"):
        assert f"| `licet {words}" in page


# Findings --------------------------------------------------------------------------------------------------------------


def test_a_finding_of_a_verifier_has_the_owner_of_the_tasks_agent(place: Place, capsys: Out) -> None:
    """The tool's side has no manifest: whose the agent is stands in the task's record."""
    with closing(SqliteStore(place.state / "licet.db")) as store:
        for _ in range(2):
            with suppress(TokenRefused):
                place.verifier(store).verify(place.inner, tool="send_email", arguments=json.loads(ARGUMENTS))
        store.add_finding(Finding("e" * 32, time.time(), "token.replay", "high", "elsewhere", task_id="e" * 32))
    capsys.readouterr()
    assert main(["findings"]) == 0
    out = capsys.readouterr().out
    assert f"token.replay  owner: support  task: {place.task[:12]}" in out
    assert f"the token {jti(place)} of task {place.task[:8]} (agent bot, tool send_email) was presented again" in out
    assert f"owner: not known here  task: {'e' * 12}" in out
    assert main(["findings", "--task", place.task, "--json"]) == 0
    assert [found["owner"] for found in json.loads(capsys.readouterr().out)["findings"]] == ["support"]
    assert main(["task", place.task]) == 0
    assert "agent   bot (asserted) for user:grace (asserted), owned by support" in capsys.readouterr().out
    assert main(["task", place.task, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["owner"], [found["owner"] for found in told["findings"]]) == ("support", ["support"])


def test_an_agent_that_nobody_owns_has_findings_that_nobody_owns(place: Place, capsys: Out) -> None:
    with place.guard.task("alone", intent="Alone", agent="stray", principal="user:grace") as task:
        place.guard._store.add_finding(Finding("f" * 32, time.time(), "token.replay", "high", "again", task_id=task.id))
    capsys.readouterr()
    assert main(["findings", "--task", task.id]) == 0
    assert f"token.replay  owner: nobody  task: {task.id[:12]}" in capsys.readouterr().out
