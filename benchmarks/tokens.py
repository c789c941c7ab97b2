"""What minting and verifying a call token costs, as ratios to the raw signature and the raw verification of the same bytes.

All are measured in turns in one run, in processor time, so that a busy machine slows all alike. Beside them PyJWT's own encode and
decode of the same claims: it reads the same payload and checks less. The bounds are 1.5 for minting and 1.8 for verifying with EdDSA;
verifying with a proof of possession checks two signatures, and its yardstick is two.

    python -m benchmarks.tokens [--rounds 101] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from licet.canonical import digest, digest_text
from licet.clock import SystemClock
from licet.records import Decision, TaskRecord
from licet.store import SqliteStore
from licet.tokens import FixedKeys, Issuer, MemoryState, Minting, Proof, SigningKey, TokenState, Verifier, prove

BOUNDS = {"mint": 1.5, "verify": 1.8}
CALLS_A_ROUND = 20
ISSUER, AUDIENCE, URL = "https://licet.acme.example", "https://mail.acme.example", "https://mail.acme.example/send"
ARGUMENTS: dict[str, Any] = {"to": "ada@acme.example", "subject": "Ticket 4312", "body": "It is fixed in the release of today."}
ALLOW = Decision("allow")

Work = Callable[[], object]


class Bench:
    """One algorithm's pieces of work, by name. Each verifies another token every time, as a token is good once."""

    def __init__(self, algorithm: str, folder: Path, calls: int) -> None:
        self.key = SigningKey.generate(algorithm)
        self.holder = SigningKey.generate("ES256")
        self.issuer = Issuer(FixedKeys(self.key), ISSUER, "bench")
        self.store = SqliteStore(folder / f"{algorithm}.db")
        self.algorithm, self.now = algorithm, SystemClock().now()
        self.task = TaskRecord("0" * 32, "answer-ticket", "support-bot", "user:grace", "Answer", "sha256:0", self.now, 600.0)
        self.free, self.bound = self.minting(""), self.minting(self.holder.kid)
        token = self.mint(self.free)
        self.claims = jwt.decode(token, options={"verify_signature": False})
        self.signed = token.rpartition(".")[0].encode()
        self.header = jwt.get_unverified_header(token)
        self.made = iter([self.mint(self.free) for _ in range(2 * calls)])
        self.proved = iter([(each, self.proof(each)) for each in (self.mint(self.bound) for _ in range(calls))])
        self.again = jwt.encode(self.claims, self.key.private, algorithm, {"kid": self.key.kid, "typ": "licet-call+jwt"})
        self.memory, self.shared = self.verifier(MemoryState(), bound=False), self.verifier(self.store, bound=False)
        self.possession = self.verifier(MemoryState(), bound=True)

    def minting(self, holder: str) -> Minting:
        return Minting(
            tool="send_email", audience=AUDIENCE, args_digest=digest(ARGUMENTS), expires=self.now + 600, step=7, purpose="Answer a ticket",
            intent_digest=digest_text("Answer ticket 4312"), actors=["support-bot"],
            context={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "policy_version": digest_text("manifest")},
            tool_digest=digest_text("tool"), holder=holder,
        )  # fmt: skip

    def mint(self, minting: Minting) -> str:
        return self.issuer.mint(ALLOW, self.task, minting, now=self.now).jwt

    def proof(self, token: str) -> Proof:
        return Proof(prove(self.holder, "POST", URL, token=token, now=self.now), "POST", URL)

    def verifier(self, state: TokenState, *, bound: bool) -> Verifier:
        # A minute of skew: a long run shall not outlive its tokens.
        keys = {"keys": [self.key.jwk]}
        return Verifier(keys, issuer=ISSUER, audience=AUDIENCE, state=state, bound=bound, skew=60, clock=_Still(self.now))

    def work(self) -> dict[str, Work]:
        """The yardsticks stand before what is held against them."""
        private, public = self.key.private, self.key.private.public_key()
        how = () if self.algorithm == "EdDSA" else (ec.ECDSA(hashes.SHA256()),)
        signature, signed = private.sign(self.signed, *how), self.signed
        decode = {"algorithms": [self.algorithm], "audience": AUDIENCE, "issuer": ISSUER, "leeway": 3600}
        return {
            "raw sign": lambda: private.sign(signed, *how),
            "mint": lambda: self.mint(self.free),
            "PyJWT encode": lambda: jwt.encode(self.claims, private, self.algorithm, self.header),
            "raw verify": lambda: public.verify(signature, signed, *how),
            "verify": lambda: self.memory.verify(next(self.made), tool="send_email", arguments=ARGUMENTS),
            "PyJWT decode": lambda: jwt.decode(self.again, public, **decode),
            "verify, SQLite": lambda: self.shared.verify(next(self.made), tool="send_email", arguments=ARGUMENTS),
            "verify, proof": self.verify_proof,
        }

    def verify_proof(self) -> object:
        token, proof = next(self.proved)
        return self.possession.verify(token, tool="send_email", arguments=ARGUMENTS, proof=proof)


class _Still:
    """A clock that stands: reading the time is not what is measured."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """See `Clock`."""
        return self._now

    def monotonic(self) -> float:
        """See `Clock`."""
        return 0.0


def measure(rounds: int, work: dict[str, Work]) -> dict[str, tuple[float, float]]:
    """The best and the median microseconds of processor time of each piece of work, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, once in work.items():
            begun = time.thread_time()
            for _ in range(CALLS_A_ROUND):
                once()
            times[name].append((time.thread_time() - begun) / CALLS_A_ROUND * 1e6)
    return {name: (min(found), statistics.median(found)) for name, found in times.items()}


def report(algorithm: str, rounds: int) -> dict[str, Any]:
    """Microseconds and ratios of one algorithm: each best to its yardstick's best, each median to its yardstick's median."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(algorithm, Path(folder), rounds * CALLS_A_ROUND)
        found = measure(rounds, bench.work())
        bench.store.close()
    out: dict[str, Any] = {}
    for name, (best, median) in found.items():
        unit = "raw sign" if name in ("raw sign", "mint", "PyJWT encode") else "raw verify"
        out[name] = {"best_us": best, "median_us": median, "best": best / found[unit][0], "median": median / found[unit][1]}
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {algorithm: report(algorithm, options.rounds) for algorithm in ("EdDSA", "ES256")}
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'':24}{'best us':>9}{'ratio':>7}{'median us':>11}{'ratio':>7}")
    for algorithm, rows in found.items():
        for name, row in rows.items():
            bound = f"   bound {BOUNDS[name]}" if algorithm == "EdDSA" and name in BOUNDS else ""
            what = f"{algorithm} {name}"
            print(f"{what:24}{row['best_us']:9.1f}{row['best']:7.2f}{row['median_us']:11.1f}{row['median']:7.2f}{bound}")


if __name__ == "__main__":
    main()
