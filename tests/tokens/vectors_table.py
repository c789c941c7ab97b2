"""Runs the public test vectors from their files through our own parser and keys, and prints what came of them.

    python tests/tokens/vectors_table.py

A vector applies where it is compact (RFC 7515 section 7.1), its key is asymmetric, and its algorithm is one that `licet.tokens` takes of
other issuers. Everything else (HMAC, JWE, JSON serialisation) does not apply as an accept: it is run all the same, and must be refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from licet.errors import KeySetError, TokenRefused
from licet.tokens.algorithms import OTHERS, KeySet, PublicKey
from licet.tokens.jws import check_signature, parse

VECTORS = Path(__file__).parents[1] / "vectors"
WYCHEPROOF, COOKBOOK = VECTORS / "wycheproof", VECTORS / "rfc7520-cookbook"
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth")

OVERRIDES: Mapping[tuple[str, int], tuple[bool, str]] = {
    ("json_web_signature_test.json", 346): (
        False,
        "the header says PS384 and the key PS256: one algorithm per key (RFC 8725bis section 3.1)",
    ),
    ("json_web_signature_test.json", 350): (False, "as 346"),
    ("json_web_signature_test.json", 347): (False, "the key says `ES521`, which is no algorithm: it is ES512's key, misspelt"),
    ("json_web_signature_test.json", 351): (False, "as 347"),
    ("json_web_signature_test.json", 372): (False, "a character outside of base64url stands in the header (RFC 8725bis section 3.1)"),
    ("json_web_signature_test.json", 373): (False, "a character outside of base64url stands in the payload (RFC 8725bis section 3.1)"),
    ("rsa_signature_2048_sha256_test.json", 8): (False, "`acceptable`: the DigestInfo lacks its NULL, which RFC 8017 section 9.2 demands"),
    ("rsa_signature_2048_sha256_test.json", 258): (False, "the exponent is 3, and FIPS 186-5 section 5.4 wants at least 65537"),
    ("rsa_signature_2048_sha256_test.json", 259): (False, "as 258"),
}
"""Where the right answer of a strict verifier is not the vector's label: (file, tcId) to (accepted?, why)."""


@dataclass
class Row:
    """One file: how many vectors apply, what became of them, and how many do not apply and are refused."""

    file: str
    applied: int = 0
    accepted: int = 0
    refused: int = 0
    others_refused: int = 0
    overrides: list[int] = field(default_factory=list)
    wrong_accepts: list[str] = field(default_factory=list)
    wrong_rejects: list[str] = field(default_factory=list)

    def count(self, name: int | str, *, applies: bool, valid: bool, accepted: bool) -> None:
        """Add one vector. `valid` is its label; what stands in OVERRIDES counts instead."""
        ours = OVERRIDES.get((self.file, name)) if isinstance(name, int) else None
        right = ours[0] if ours else valid and applies
        if ours and right != valid:
            self.overrides.append(int(name))
        if accepted and not right:
            self.wrong_accepts.append(str(name))
        if right and not accepted:
            self.wrong_rejects.append(str(name))
        if applies:
            self.applied += 1
            self.accepted += accepted
            self.refused += not accepted
        else:
            self.others_refused += not accepted


def rows() -> list[Row]:
    """Every file, run."""
    jose = ("json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json", "json_web_encryption_test.json")
    raw = {
        "ed25519_test.json": "EdDSA", "ecdsa_secp256r1_sha256_p1363_test.json": "ES256", "rsa_signature_2048_sha256_test.json": "RS256",
        "rsa_pss_2048_sha256_mgf1_32_test.json": "PS256",
    }  # fmt: skip
    return [*map(_jose, jose), *(_raw(file, name) for file, name in raw.items()), *map(_cookbook, _cookbook_files())]


def accepts(token: object, key: Mapping[str, Any]) -> bool:
    """What a verifier of a stranger's tokens does: strict parse, then the key of the JWK or JWK set that was given."""
    try:
        jws = parse(token)  # type: ignore[arg-type] # what is no text must be refused too
        check_signature(jws, KeySet.of(key if "keys" in key else {"keys": [key]}), OTHERS)
    except (TokenRefused, KeySetError):
        return False
    return True


def public(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """The public half of a private JWK; a symmetric key, and a set with one in it, stay what they are."""
    if "keys" in jwk:
        return {"keys": [public(key) for key in jwk["keys"]]}
    return {name: value for name, value in jwk.items() if name not in PRIVATE}


def _jose(file: str) -> Row:
    row = Row(file)
    for group in _groups(WYCHEPROOF / file):
        key = group.get("public") or public(group["private"])
        for test in group["tests"]:
            token = test.get("jws", test.get("jwe"))
            compact = isinstance(token, str) and not token.lstrip().startswith("{")
            asymmetric = all(each.get("kty") in ("RSA", "EC", "OKP") for each in key.get("keys", [key]))
            applies = "jws" in test and compact and asymmetric
            row.count(test["tcId"], applies=applies, valid=test["result"] == "valid", accepted=accepts(token, key))
    return row


def _raw(file: str, name: str) -> Row:
    row = Row(file)
    for group in _groups(WYCHEPROOF / file):
        jwk = group.get("publicKeyJwk") or group.get("keyJwk") or _jwk_of(group)
        try:
            key = PublicKey.of(jwk)
        except KeySetError:
            key = None
        for test in group["tests"]:
            good = key is not None and key.verify(name, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            row.count(test["tcId"], applies=True, valid=test["result"] != "invalid", accepted=good)
    return row


def _cookbook(path: Path) -> Row:
    row, found = Row(str(path.relative_to(COOKBOOK))), json.loads(path.read_text(encoding="utf-8"))
    keys = found["input"]["key"]
    algorithms = found["input"]["alg"]
    for name, token in found["output"].items():
        text = token if name == "compact" else json.dumps(token)
        for key, alg in zip(keys, algorithms, strict=True) if isinstance(keys, list) else [(keys, algorithms)]:
            applies = name == "compact" and alg in OTHERS
            row.count(f"{row.file} {name}", applies=applies, valid=True, accepted=accepts(text, public(key)))
    return row


def _cookbook_files() -> Iterator[Path]:
    for folder in ("jws", "curve25519", "rfc7797"):
        yield from sorted((COOKBOOK / folder).glob("*.json"))


def _groups(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["testGroups"]
    return found


def _jwk_of(group: Mapping[str, Any]) -> dict[str, Any]:
    """Some groups of the ECDSA file have their key as a point only."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from jwt.algorithms import ECAlgorithm

    return dict(ECAlgorithm.to_jwk(load_pem_public_key(group["publicKeyPem"].encode()), as_dict=True))  # type: ignore[arg-type]


def table(found: list[Row]) -> str:
    """The rows as text, and under them each override with its reason."""
    lines = [f"{'file':<48}{'applied':>8}{'accepted':>9}{'refused':>8}{'others refused':>15}{'overrides':>10}{'wrong':>6}"]
    for row in [*found, _sum(found)]:
        wrong = len(row.wrong_accepts) + len(row.wrong_rejects)
        lines.append(
            f"{row.file:<48}{row.applied:>8}{row.accepted:>9}{row.refused:>8}{row.others_refused:>15}{len(row.overrides):>10}{wrong:>6}"
        )
        lines += [f"    wrongly accepted: {name}" for name in row.wrong_accepts if row.file != "all"]
        lines += [f"    wrongly refused: {name}" for name in row.wrong_rejects if row.file != "all"]
    lines += ["", "overrides (ours is the stricter answer):"]
    lines += [f"    {file} {number}: {why}" for (file, number), (_, why) in OVERRIDES.items()]
    return "\n".join(lines)


def _sum(found: list[Row]) -> Row:
    total = Row("all")
    for row in found:
        for name in ("applied", "accepted", "refused", "others_refused", "overrides", "wrong_accepts", "wrong_rejects"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
    return total


if __name__ == "__main__":
    results = rows()
    sys.stdout.write(table(results) + "\n")
    sys.exit(any(row.wrong_accepts or row.wrong_rejects for row in results))
