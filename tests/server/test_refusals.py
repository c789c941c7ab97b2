"""A refusal that tells the asker nothing tells our log why, and the owner of a client what was tried in its name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from licet.server.clients import ASSERTION_TYPE
from licet.store import SqliteStore
from running import HELPERS, TASK, Asker, Service, running


def ask(service: Service, assertion: str) -> int:
    form = {"token": "x", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return service.http.post("/introspect", data=form).status_code


def test_the_log_says_why_and_holds_no_token(service: Service, caplog: pytest.LogCaptureFixture):
    """The check, the reason, who it says that it is (escaped and cut), and the error in the line of the request."""
    used = service.asker.assertion()
    with caplog.at_level(logging.INFO, logger="licet"):
        assert [ask(service, used), ask(service, used)] == [200, 401]
        assert ask(service, Asker(service, "nobody\x1b[31m" + "x" * 100).assertion()) == 401
        assert ask(service, "x.y") == 401
        task = service.task()
        proof = service.asker.proof("another")
        assert service.asker.exchange(task, proof=proof, requested_token_type=TASK).status_code == 400
        assert service.asker.call(task, "send", {"to": "eve@evil.example", "body": ""}).status_code == 400
        assert service.asker.exchange(task, requested_token_type=TASK, scope="x").status_code == 400
    lines = caplog.text
    assert "licet: /introspect: invalid_client to 'runner': token.replay: the assertion was used before" in lines
    assert "to 'nobody" in lines
    assert "x" * 50 not in lines
    assert "\x1b" not in lines
    assert "to somebody: token.malformed" in lines
    assert "licet: /token: invalid_dpop_proof for runner: token.proof: " in lines
    assert "licet: /token: access_denied for runner: origin.argument" in lines
    assert "licet: /token: invalid_scope for runner: " in lines
    assert "- POST /introspect 401 invalid_client " in lines
    assert "runner POST /token 400 invalid_dpop_proof " in lines
    assert "runner POST /token 200 " in lines
    assert not [part for token in (used, task, proof) for part in token.split(".") if part in lines]
    assert "eyJ" not in lines


def test_its_owner_finds_what_was_tried_in_a_clients_name(tmp_path: Path):
    """Replayed, over, for others, by another key: one finding a minute for each, and none of a client that nobody knows."""
    with running(tmp_path) as service:
        asker, now = service.asker, int(service.clock.now())
        used = asker.assertion()
        for _ in range(4):
            ask(service, used)
            ask(service, asker.assertion(exp=now - 60, iat=now - 90))
            ask(service, asker.assertion(aud="https://evil.example"))
            ask(service, asker.assertion(key=HELPERS))
            ask(service, Asker(service, "nobody").assertion())
        store = service.guard.token_state
        assert isinstance(store, SqliteStore)
        found = store.findings()
        told = sorted((finding.check, finding.severity, finding.owner) for finding in found)
        assert told == [
            ("token.audience", "medium", "o"), ("token.key", "medium", "o"), ("token.replay", "high", "o"), ("token.time", "medium", "o"),
        ]  # fmt: skip
        assert all(finding.sentence.startswith("client runner of the token authority: ") for finding in found)
        assert not any("eyJ" in finding.sentence for finding in found)


def test_keys_of_a_persons_issuer_that_are_not_there_are_nobodys_mistake(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """503 and not a bad request, so that the client tries again; a finding that is high, and the log says which file."""
    with running(tmp_path) as service, caplog.at_level(logging.INFO, logger="licet"):
        (tmp_path / "idp.json").rename(tmp_path / "gone.json")
        answer = service.asker.open()
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert "retry-after" in answer.headers
        assert "idp.json" not in answer.text
        assert "identity.unproved: token.undecided: the keys of issuer `idp` cannot be used" in caplog.text
        store = service.guard.token_state
        assert isinstance(store, SqliteStore)
        assert [(found.check, found.severity) for found in store.findings()] == [("identity.unproved", "high")]
        (tmp_path / "gone.json").rename(tmp_path / "idp.json")
        assert service.asker.open().status_code == 200


def test_a_renewal_takes_no_details_and_says_so(service: Service):
    """`[{}]` is what a library sends for none."""
    task = service.task()
    for details in ("[{}]", "[ { } ]", "[]"):
        answer = service.asker.exchange(task, requested_token_type=TASK, authorization_details=details)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")
        assert "a renewal takes none" in answer.json()["error_description"]
