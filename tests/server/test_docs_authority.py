"""docs/authority.md shows a request that works, and numbers that are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from licet.server.app import BODY_SECONDS, Limits
from licet.server.clients import ASSERTION_SECONDS
from licet.server.forms import MAX_BODY
from licet.server.metadata import JWKS_SECONDS
from licet.server.openapi import document
from licet.server.protocol import HEAD_SECONDS, PER_ADDRESS
from licet.server.run import CONCURRENT
from licet.tokens import SigningKey
from licet.tokens.dpop import PROOF_SECONDS
from licet.tokens.remote_keys import FileKeys
from licet.tokens.ring import PUBLISH_SECONDS
from running import BOT, CALL, ID, RUNNER, TASK, Service

PAGE = (Path(__file__).parents[2] / "docs" / "authority.md").read_text(encoding="utf-8")


def test_the_request_of_the_page_works(service: Service):
    """It begins a task and gets a call's token, and a denial is what the page says."""
    shown: dict[str, object] = {}
    exec(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0], shown)  # the page's own code
    exchange, me = shown["exchange"], (service.url, "runner", RUNNER, BOT)
    assert callable(exchange)
    begin = {"type": "urn:licet:task", "kind": "work", "intent": "Write to ada@acme.example"}
    task = exchange(*me, service.person(), ID, TASK, begin)["access_token"]
    call = {"type": "urn:licet:tool-call", "identifier": "send", "arguments": {"to": "ada@acme.example", "body": "x"}}
    assert exchange(*me, task, TASK, CALL, call)["issued_token_type"] == CALL
    call["arguments"] = {"to": "eve@evil.example", "body": "x"}
    assert exchange(*me, task, TASK, CALL, call)["error"] == "access_denied"


def test_the_key_of_the_page_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A PEM file as openssl writes it becomes a key set that `jwks_file` takes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "client.pem").write_bytes(SigningKey.generate("ES256").pem())
    exec(re.findall(r'^\$ python -c "\n(.*?)"$', PAGE, re.MULTILINE | re.DOTALL)[0], {})  # the page's own code
    assert json.loads((tmp_path / "runner.json").read_text(encoding="utf-8"))["keys"][0]["kid"]
    FileKeys(tmp_path / "runner.json").find(None, "ES256")


def test_the_numbers_of_the_page_are_the_codes():
    """Limits, lives and sizes."""
    limits = Limits()
    assert limits.address_rate == limits.client_rate
    assert limits.address_burst == limits.client_burst
    said = " ".join(PAGE.split())
    assert f"At most {limits.client_rate:g} requests a second ({limits.client_burst} at once)" in said
    assert f"at most {MAX_BODY // 1024} KB, and has {BODY_SECONDS:g} s to come" in said
    assert f"has {HEAD_SECONDS:g} s to come, from the connection or the answer before, and an address {PER_ADDRESS} connections" in said
    assert f"Of {CONCURRENT} connections in all" in said
    assert f"it is good for {PROOF_SECONDS} s" in said
    assert f"at most {ASSERTION_SECONDS} s ahead" in said
    assert f"may be kept for {JWKS_SECONDS} s. A new key is published {PUBLISH_SECONDS} s before it signs" in said


def test_the_page_names_each_endpoint_and_each_status(service: Service):
    """Of those that the OpenAPI document has."""
    page = document(service_at := service_address(service))
    for path, methods in page["paths"].items():
        assert path.rpartition("/")[2] in PAGE or path == service_at.oauth
        for operation in methods.values():
            for status in operation["responses"]:
                assert status in PAGE or status == "500"


def service_address(service: Service):
    from licet.server.metadata import Addresses

    return Addresses(service.url)
