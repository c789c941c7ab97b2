"""The snippet for npm `jose` in docs/tokens.md takes a good token once, and refuses what it must.

It needs Node and npm, and takes `jose` and `canonicalize` at the versions of the lock file in tests/server/interop.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from licet import Guard, current_call

PAGE = Path(__file__).parents[1] / "docs" / "tokens.md"
INTEROP = Path(__file__).parent / "server" / "interop"
NODE, NPM = shutil.which("node"), shutil.which("npm")
URL = "https://mail.acme.example/send"
ARGUMENTS = {"to": "ada@okafor.example", "body": "It is on its way, späť.", "share": 2.0, "least": 1e-7, "more": {"€": None, "a": [1e21]}}
ASK = """
import { readFileSync } from "node:fs";
import { createLocalJWKSet } from "jose";
import { check } from "./check.mjs";

const { jwks, asked } = JSON.parse(readFileSync(0, "utf8"));
const used = new Set();
const first = async (jti) => !used.has(jti) && Boolean(used.add(jti));
const answers = [];
for (const { token, proof, ...about } of asked) {
  try {
    answers.push((await check(token, proof, { keys: createLocalJWKSet(jwks), first, ...about })).client_id);
  } catch (error) {
    answers.push(`refused: ${error.code ?? error.message}`);
  }
}
console.log(JSON.stringify(answers));
"""


@pytest.mark.skipif(NODE is None or NPM is None, reason="node or npm is not installed")
def test_the_snippet_for_jose_takes_a_good_token_once_and_refuses_the_rest(tmp_path: Path):
    [snippet] = re.findall(r"^```js[^\n]*\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    manifest = re.findall(r"^```yaml[^\n]*\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "licet.yaml").write_text(manifest, encoding="utf-8")
    (tmp_path / "check.mjs").write_text(snippet, encoding="utf-8")
    (tmp_path / "ask.mjs").write_text(ASK, encoding="utf-8")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(INTEROP / name, tmp_path)
    assert NODE is not None
    assert NPM is not None
    subprocess.run([NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=tmp_path, check=True, timeout=120, capture_output=True)
    asked: list[dict[str, Any]] = []

    with Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state", issuer="https://licet.acme.example") as guard:

        @guard.tool
        def send_email(to: str, body: str, share: float, least: float, more: dict[str, Any]) -> str:
            call = current_call()
            assert call is not None
            headers = call.headers_for("POST", URL)
            token, proof = headers["Licet-Call-Token"], headers["DPoP"]
            elsewhere = call.headers_for("POST", "https://mail.acme.example/other")["DPoP"]
            about = {"method": "POST", "url": URL, "tool": "send_email", "args": ARGUMENTS}
            head, body_, signature = token.split(".")
            forged = f"{head}.{body_}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
            asked.extend(
                [
                    {"token": forged, "proof": proof} | about,
                    {"token": token, "proof": elsewhere} | about,
                    {"token": token, "proof": proof} | about | {"args": ARGUMENTS | {"least": 1e-6}},
                    {"token": token, "proof": proof} | about | {"tool": "read_ticket"},
                    {"token": token, "proof": proof} | about,
                    {"token": token, "proof": proof} | about,
                ]
            )
            return "sent"

        with guard.task("answer-ticket", intent="Write to ada@okafor.example", agent="support-bot", principal="user:grace"):
            send_email(**ARGUMENTS)
        given = json.dumps({"jwks": guard.jwks(), "asked": asked})

    answer = subprocess.run([NODE, "ask.mjs"], cwd=tmp_path, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == [
        "refused: ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        "refused: a proof for another request or token",
        "refused: not a token for this call",
        "refused: not a token for this call",
        "support-bot",
        "refused: used before",
    ]
