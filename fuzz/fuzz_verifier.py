"""Fuzzes the whole verifier: forged tokens with good proofs, good tokens with forged proofs, and texts of any kind in both places."""

from __future__ import annotations

from guided import Property, main


def load() -> tuple[Property, list[bytes]]:
    from forge import URL, Desk
    from licet.errors import TokenRefused
    from licet.tokens import Proof
    from mutations import Mutator, Spelled

    desk = Desk()
    mutator = Mutator(desk)

    def holds(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        if kind < b"\x80":
            mutator.try_token(Spelled(rest))
        elif kind < b"\xe0":
            mutator.try_proof(Spelled(rest))
        else:
            token, _, proof = rest.decode("utf-8", "surrogateescape").partition("\n")
            try:
                desk.verify(token, proof=Proof(proof, "POST", URL))
            except TokenRefused:
                return
            raise AssertionError("a text that no key of ours signed was accepted")

    old = Desk()  # its tokens are of other keys
    seeds = [bytes([kind]) + bytes((number * 37 + kind) % 256 for number in range(80)) for kind in range(0, 224, 16)]
    seeds.append(b"\xe0" + old.token().encode() + b"\n" + old.proof(old.token()).encode())
    return holds, seeds


if __name__ == "__main__":
    main("verifier", load)
