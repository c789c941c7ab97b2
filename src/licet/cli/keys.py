"""`licet keys`: the keys that sign call tokens; which of them sign and are published, and since or until when."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from typing import Any

from licet.cli import output
from licet.cli.acts import actor, reason, record, seconds
from licet.cli.output import Style
from licet.cli.state import add_state, existing, ring_of, store_of
from licet.clock import iso, lasting
from licet.errors import UsageError
from licet.guard.state import StateFolder
from licet.records import Revocation
from licet.tokens import SigningKey, key_of_environment
from licet.tokens.algorithms import OURS
from licet.tokens.keys import SIGNING, jwks_text
from licet.tokens.ring import PUBLISH_SECONDS, KeyRing, RingKey

EXAMPLE = """\
A new key is published at once and signs later, so that every verifier has fetched it by then; an old one stays published until its last
token is dead. Nothing has to run for that.

example: licet keys list
         licet keys rotate
         licet keys retire 3Wq7 --compromised --reason "laptop lost; INC-4312"
         licet keys jwks > jwks.json
"""
COMPROMISED_SECONDS = 3_650 * 86_400.0
"""Who has the key can sign with it for as long as any verifier knows it, be it from a file that nobody renews."""
_STYLES: Mapping[str, Style] = {"signing": "green", "next": "yellow", "gone": "dim"}
_HELD = "the key comes from LICET_SIGNING_KEY, and is not kept here"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verbs = parser.add_subparsers(metavar="list|rotate|retire|jwks", required=True)

    def verb(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        own = verbs.add_parser(
            name, help=summary, description=summary, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        own.set_defaults(verb=_VERBS[name])
        add_state(own)
        return own

    listed = verb("list", "list the keys, and what each of them does", "example: licet keys list --json | jq '.keys[] | .kid'")
    rotated = verb("rotate", "make a new key, which takes over from the one that signs", "example: licet keys rotate --alg ES256 --wait 1h")
    rotated.add_argument("--alg", choices=SIGNING, help="the algorithm (default: that of the key that signs call tokens)")
    when = rotated.add_mutually_exclusive_group()
    when.add_argument("--wait", metavar="TIME", type=seconds, default=float(PUBLISH_SECONDS), help="sign from then on (default: 15m)")
    when.add_argument("--now", action="store_const", dest="wait", const=0.0, help="sign at once; a key that waits already takes over")
    retired = verb(
        "retire",
        "let a key sign no more",
        "A KID that begins with `-` stands behind `--`.\n\nexample: licet keys retire 3Wq7\n"
        '         licet keys retire 3Wq7 --compromised --reason "laptop lost; INC-4312"',
    )
    retired.add_argument("kid", metavar="KID", help="the key, or a unique beginning of its id")
    retired.add_argument("--compromised", action="store_true", help="publish it no more either, and refuse all that it signed")
    retired.add_argument("--reason", metavar="TEXT", help="why: it goes into the ledger; --compromised needs it")
    verb("jwks", "print the public keys with which anybody can verify call tokens (RFC 7517)", "example: licet keys jwks > jwks.json")
    for own in (listed, rotated, retired):
        own.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Do what the second word says."""
    code: int = options.verb(options)
    return code


def _list(options: argparse.Namespace) -> int:
    now, held = time.time(), key_of_environment(os.environ)
    keys = () if held is not None and not _kept(options) else ring_of(existing(options, "keys"), now).keys()
    if options.json:
        rows = [_told(key, now) | {"source": "folder", "used": held is None} for key in keys]
        output.data({"keys": ([_held(held)] if held else []) + rows})
        return 0
    if held is not None:
        output.say(output.paint("signing ", "green"), f"  {held.algorithm:5}  {held.kid}  from LICET_SIGNING_KEY; rotated where it is kept")
        if keys:
            output.say("The keys of this folder are not used while LICET_SIGNING_KEY is set:")
    for key in keys:
        state = key.state(now)
        output.say(output.paint(f"{state:8}", _STYLES.get(state, "bold")), f"  {key.alg:5}  {key.kid}  {_times(key, now)}")
    return 0


def _kept(options: argparse.Namespace) -> bool:
    """Whether the folder has keys."""
    try:
        ring_of(existing(options, "keys"), time.time())
    except UsageError:
        return False
    return True


def _rotate(options: argparse.Namespace) -> int:
    _only_here("put another key in its place, and publish its public half before")
    folder, now = existing(options), time.time()
    if not _kept(options):
        return _first(options, folder, now)
    ring = KeyRing(folder.keys, now=now)
    until_before = {key.kid: key.until for key in ring.keys()}  # noqa: SIM118 - a ring is no mapping

    def before(made: RingKey) -> None:
        fields = {"key": made.kid, "alg": made.alg, "signs": iso(made.signs), "by": actor(), "by_is": "user of the machine"}
        record(folder, "key.rotate", fields, now)

    made = ring.rotate(now, algorithm=options.alg, wait=options.wait, before=before)
    promoted = made.kid in until_before
    replaced = [key for key in ring.keys() if key.kid in until_before and key.until != until_before[key.kid]]  # noqa: SIM118 - see above
    if options.json:
        output.data({"key": _told(made, now), "promoted": promoted, "replaces": [_told(key, now) for key in replaced]})
        return 0
    published = "waited already; it waits no more" if promoted else "is published now"
    output.say(output.paint(made.kid, "bold"), f" ({made.alg}) {published}, and {_begins(made, now)}")
    for key in replaced:
        output.say(f"{key.kid} signs until {iso(key.until or now)}, and is published until {iso(key.published_until or now)}")
    if options.wait < PUBLISH_SECONDS and now - made.created < PUBLISH_SECONDS:
        usual = lasting(PUBLISH_SECONDS)
        output.error(f"a verifier that keeps the key set for {usual} may not know the new key by then, and refuse what it signs")
    return 0


def _first(options: argparse.Namespace, folder: StateFolder, now: float) -> int:
    """The first keys of a folder: nobody can have fetched others, so that they sign at once, whatever `--wait` says."""
    ours = options.alg is None or options.alg in OURS
    ring = KeyRing(folder.keys, now=now, first=options.alg if ours and options.alg else "EdDSA")
    made = list(ring.keys())
    if not ours:
        made.append(ring.rotate(now, algorithm=options.alg, wait=0.0))
    for key in made:
        fields = {"key": key.kid, "alg": key.alg, "signs": iso(now), "by": actor(), "by_is": "user of the machine"}
        record(folder, "key.rotate", fields, now)
    if options.json:
        output.data({"key": _told(made[-1], now), "promoted": False, "replaces": []})
    for key in () if options.json else made:
        output.say(output.paint(key.kid, "bold"), f" ({key.alg}) is published now, and {_begins(key, now)}")
    output.error(f"there were no keys in {folder.keys} before; if that is a surprise, another folder is named by `--state` or LICET_STATE")
    return 0


def _begins(key: RingKey, now: float) -> str:
    return f"signs from {iso(key.signs)} (in {lasting(key.signs - now)})" if key.signs > now else "signs from now on"


def _retire(options: argparse.Namespace) -> int:
    why = reason(options)
    if options.compromised and not why:
        raise UsageError("--compromised needs a --reason")
    _only_here("put another key in its place, and refuse what this one signed by `licet token revoke --key KID`")
    folder, now = existing(options, "keys", *(["store"] if options.compromised else [])), time.time()
    ring_of(folder, now)
    ring = KeyRing(folder.keys, now=now)
    kid = whole_kid(ring, options.kid)

    def before(ended: RingKey) -> None:
        fields = {"key": ended.kid, "compromised": options.compromised, "published_until": iso(ended.published_until or now), "why": why}
        record(folder, "key.retire", fields | {"by": actor(), "by_is": "user of the machine"}, now)
        if options.compromised:
            with store_of(folder) as store:
                store.revoke(Revocation(("key", ended.kid), now, now + COMPROMISED_SECONDS, why, actor()))

    ended = ring.retire(kid, now, compromised=options.compromised, before=before)
    if options.json:
        output.data({"key": _told(ended, now), "compromised": options.compromised})
    elif options.compromised:
        output.say(
            output.paint(kid, "bold"), " signs no more and is published no more; all that it signed is refused where this store is asked"
        )
        output.say("Who verifies from a copy of the key set must fetch it anew: `licet keys jwks`")
    else:
        output.say(output.paint(kid, "bold"), f" signs no more, and is published until {iso(ended.published_until or now)}")
    return 0


def _jwks(options: argparse.Namespace) -> int:
    now, held = time.time(), key_of_environment(os.environ)
    print(jwks_text([held.jwk] if held is not None else ring_of(existing(options, "keys"), now).published(now)))
    return 0


_VERBS = {"list": _list, "rotate": _rotate, "retire": _retire, "jwks": _jwks}


def whole_kid(ring: KeyRing, prefix: str) -> str:
    """The one key whose id is, or begins with, `prefix`.

    Raises:
        UsageError: there is none, or there are several.
    """
    kids = [key.kid for key in ring.keys()]  # noqa: SIM118 - a ring is no mapping
    found = [kid for kid in kids if prefix and kid.startswith(prefix)]
    if prefix in found:
        return prefix
    if not found:
        raise UsageError(f"no key whose id begins with {prefix!r}; `licet keys list` lists them")
    if len(found) > 1:
        raise UsageError(f"{prefix!r} begins more than one id: {', '.join(found)}; write more of it")
    return found[0]


def _only_here(instead: str) -> None:
    if key_of_environment(os.environ) is not None:
        raise UsageError(f"{_HELD}: {instead}")


def _times(key: RingKey, now: float) -> str:
    state = key.state(now)
    if state == "next":
        return _begins(key, now)
    if state == "gone":
        return f"published until {iso(key.published_until or now)}"
    since = f"since {iso(max(key.signs, key.created))}"
    if key.until is None:
        return f"signs {since}"
    published = f"published until {iso(key.published_until or now)}"
    return f"signs {since}, until {iso(key.until)}; {published}" if state == "signing" else f"signed until {iso(key.until)}; {published}"


def _told(key: RingKey, now: float) -> dict[str, Any]:
    times = {"until": key.until, "published_until": key.published_until}
    ends = {name: None if at is None else iso(at) for name, at in times.items()}
    return {"kid": key.kid, "alg": key.alg, "state": key.state(now), "since": iso(max(key.signs, key.created))} | ends


def _held(key: SigningKey) -> dict[str, Any]:
    told = {"kid": key.kid, "alg": key.algorithm, "state": "signing", "since": None, "until": None, "published_until": None}
    return told | {"source": "LICET_SIGNING_KEY", "used": True}
