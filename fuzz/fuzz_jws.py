"""Fuzzes what reads a stranger's bytes: the compact parser, the strict JSON reader, and the reader of public keys."""

from __future__ import annotations

from guided import Property, main


def load() -> tuple[Property, list[bytes]]:
    import json
    from contextlib import suppress

    from forge import Desk, b64
    from licet.errors import KeySetError, TokenRefused
    from licet.tokens.algorithms import KeySet
    from licet.tokens.jws import claims_of, decode, json_object, parse
    from mutations import Mutator, Spelled

    desk = Desk()
    mutator = Mutator(desk)

    def taken(text: str) -> None:
        jws = parse(text)
        assert text.encode().startswith(jws.signed)
        assert text == f"{jws.signed.decode()}.{b64(jws.signature)}"
        assert isinstance(jws.header["alg"], str)
        assert claims_of(jws) == json.loads(jws.payload)

    def holds(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        text = rest.decode("utf-8", "surrogateescape")
        if kind < b"\x30":
            mutator.try_text(Spelled(rest))
        elif kind < b"\x60":
            mutator.try_jwk(Spelled(rest))
        elif kind < b"\x90":
            with suppress(TokenRefused):
                taken(text)
        elif kind < b"\xc0":
            with suppress(TokenRefused):
                assert json_object(rest, "payload") == json.loads(rest)
            with suppress(TokenRefused):
                assert b64(decode(text)) == text
        else:
            with suppress(ValueError, RecursionError, KeySetError):
                KeySet.of(json.loads(rest), skip=bool(len(rest) % 2))

    seeds = [
        b"\x00" + bytes(range(64)),
        b"\x30" + bytes(range(64)),
        b"\x60" + desk.token().encode(),
        b"\x60" + desk.token(desk.second).encode(),
    ]
    seeds += [b"\x90" + json.dumps(desk.claims()).encode(), b"\xc0" + json.dumps(desk.jwks).encode()]
    return holds, seeds


if __name__ == "__main__":
    main("jws", load)
