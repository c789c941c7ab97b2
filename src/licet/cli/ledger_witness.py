"""`licet ledger witness`: cosign the checkpoints of ledgers, as a service or by looking at them; and show what was seen of each."""

from __future__ import annotations

import argparse
import base64
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from licet.cli import output
from licet.cli.acts import seconds
from licet.clock import Clock, SystemClock, iso
from licet.errors import LedgerError, UsageError
from licet.escape import counted
from licet.ledger import layout
from licet.ledger.cosigning.sources import pull, source_of
from licet.ledger.cosigning.state import WitnessState, log_keys
from licet.ledger.cosigning.witness import Refused, Seen, Witness, seen
from licet.ledger.note import NoteKey

HOST, PORT = "127.0.0.1", 8471
_MAX_KEYS = 1_000_000  # bytes of a file of keys

EXAMPLE = """\
Without SOURCE it serves C2SP tlog-witness, and logs ask it (`licet ledger cosign`, or `ledger: {witnesses: ...}` in a manifest). With
SOURCE, which is a ledger's folder or an address that serves one, it looks at each itself. Its state is a folder of its own, and belongs on
another machine than the logs: whoever can set both back can show it a fork. A log that was named once stays known.

Exit codes: 0 all were cosigned, or stopped by a signal; 1 one was refused: a fork, a rollback, a stranger; 2 one cannot be read.

example: licet ledger witness --state /var/lib/witness --key --name witness.acme.example
         licet ledger witness --state /var/lib/witness --log acme.example/host-1+4f0c5f0b+AY... --listen 127.0.0.1:8471
         licet ledger witness --state /var/lib/witness --log keys.txt https://host-1.acme.example/ledger /mnt/host-2/ledger --every 60s
         licet ledger witness --state /var/lib/witness --list
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help="a ledger to look at: its folder, or https://HOST/PATH")
    parser.add_argument("--state", metavar="DIR", required=True, help="the witness's own folder; made if it is missing")
    parser.add_argument(
        "--log", dest="logs", metavar="KEY|FILE", action="append", default=[],
        help="a log to know: its verifier key, or a file with one a line; may be given again",
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--key", action="store_true", help="print the witness's verifier key, and make it if it is missing")
    what.add_argument("--list", action="store_true", help="print each log: how far it was cosigned, when, and what was refused")
    what.add_argument("--listen", metavar="HOST:PORT", help=f"where to serve (default: {HOST}:{PORT}; port 0: any that is free)")
    what.add_argument("--every", metavar="TIME", type=seconds, help="look at each SOURCE again after this time (60s, 5m), until a signal")
    parser.add_argument("--name", default="", help="the witness's name when its key is made: an address without scheme")
    parser.add_argument("--tls-cert", metavar="FILE", help="speak TLS with this certificate (PEM, with its chain)")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's private key (PEM, not encrypted)")
    parser.add_argument("--behind-tls-proxy", metavar="ADDRESSES", help="a proxy at these addresses speaks TLS")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Do what the options say."""
    if options.list and not Path(options.state).is_dir():
        raise UsageError(f"{options.state}: there is no witness here; make one with --key")
    if options.every is not None and not options.sources:
        raise UsageError("--every is about each SOURCE, and there is none; a service waits by itself")
    if options.listen is not None and options.sources:
        raise UsageError("either it serves (--listen) or it looks at each SOURCE; run two, they may share the folder")
    keys = [key for given in options.logs for key in _keys(given)]
    state = WitnessState(options.state)
    if options.list:
        return _list(state, options)
    own = state.key(options.name)
    if keys:
        state.learn(keys)
    if options.key:
        return _key(own.note_key, options)
    logs, clock = state.logs(), SystemClock()
    if not logs:
        raise UsageError("this witness knows no log; name each by --log with what `licet ledger key` prints there")
    witness = Witness(own, logs, state, clock)
    return _look(witness, options) if options.sources else _serve(witness, own.note_key, clock, options)


def _keys(given: str) -> list[NoteKey]:
    file = Path(given)
    try:
        if not file.is_file():
            return log_keys(given, "--log")
        with file.open(encoding="utf-8") as opened:
            return log_keys(opened.read(_MAX_KEYS), given)
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"--log {given!r} is no verifier key, and no file of them that can be read") from error


def _key(key: NoteKey, options: argparse.Namespace) -> int:
    if options.json:
        output.data({"name": key.name, "id": key.id.hex(), "key": str(key)})
    else:
        output.say(str(key))
    return 0


def _list(state: WitnessState, options: argparse.Namespace) -> int:
    found = seen(state, state.key(create=False).note_key, state.logs())
    strangers = state.refusals()
    if options.json:
        output.data({"logs": [_plain(each) for each in found], "strangers": [asdict(each) for each in strangers]})
        return 0
    for each in found:
        how_far = f"{counted(each.size, 'record')} at {iso(each.time)}" if each.size is not None and each.time else "nothing cosigned yet"
        output.say(output.paint(each.origin, "bold"), ": ", how_far)
        for refusal in each.refusals:
            output.say("  ", output.paint(f"refused: {refusal.kind}", "red"), f" at {refusal.time}: ", refusal.sentence)
    for refusal in strangers:
        output.say(output.paint(f"refused: {refusal.kind}", "red"), f" at {refusal.time}: ", refusal.origin, ": ", refusal.sentence)
    if not found:
        output.say("no log is known; name each by --log")
    return 0


def _plain(each: Seen) -> dict[str, Any]:
    return {
        "origin": each.origin, "size": each.size, "root": base64.b64encode(each.root).decode() or None,
        "time": iso(each.time) if each.time else None, "refused": each.refused, "refusals": [asdict(one) for one in each.refusals],
    }  # fmt: skip


def _look(witness: Witness, options: argparse.Namespace) -> int:
    """Pull each source, once or for ever."""
    from licet.server.run import log_to_stderr  # brings the guard with it

    ended = threading.Event()
    if options.every is None:
        logging.getLogger("licet").addHandler(logging.NullHandler())  # what is refused is printed
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
    worst = 0
    with nullcontext() if options.every is None else log_to_stderr():
        while True:
            results = [_pulled(witness, source) for source in options.sources]
            _show(results, options)
            codes = {result["code"] for result in results}
            now = 1 if 1 in codes else max(codes)
            worst = 1 if 1 in (worst, now) else max(worst, now)
            if options.every is None or ended.wait(max(1.0, options.every)):
                return worst


def _pulled(witness: Witness, where: str) -> dict[str, Any]:
    try:
        found = pull(witness, source_of(_ledger_in(where)), where)
    except Refused as refused:
        return {"source": where, "refused": refused.kind, "why": str(refused), "code": 1}
    except LedgerError as error:
        return {"source": where, "failed": str(error), "code": 2}
    return {
        "source": where,
        "origin": found.checkpoint.origin,
        "size": found.checkpoint.size,
        "cosignature": found.line.rstrip("\n"),
        "code": 0,
    }


def _ledger_in(where: str) -> str:
    """The ledger's folder, where somebody named the state folder that it stands in; anything else as it is."""
    folder = Path(where)
    try:
        inner = not (folder / layout.CHECKPOINT).exists() and (folder / "ledger" / layout.CHECKPOINT).exists()
    except (OSError, ValueError):
        return where
    return str(folder / "ledger") if inner else where


def _show(results: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        output.data({"sources": [{name: value for name, value in each.items() if name != "code"} for each in results]})
    for each in () if options.json else results:
        if "refused" in each:
            output.say(each["source"], ": ", output.paint(f"refused: {each['refused']}", "red"), ": ", each["why"])
        elif "failed" in each:
            output.error(each["failed"])
        else:
            output.say(each["source"], ": ", output.paint("cosigned", "green"), f": {counted(each['size'], 'record')} of ", each["origin"])
    sys.stdout.flush()


def _serve(witness: Witness, key: NoteKey, clock: Clock, options: argparse.Namespace) -> int:
    from licet.server.run import Listening, check, listen, log_to_stderr

    host, port = _address(options.listen)
    at = Listening(host, port, options.tls_cert, options.tls_key, options.behind_tls_proxy)
    check(at, "")
    try:
        from licet.server.witness import create_app
    except ImportError as error:
        raise UsageError("a witness that serves needs the extra `server`: pip install 'licet[server]'") from error

    def ready(url: str) -> None:
        if options.json:
            output.data({"listening": url, "key": str(key)})
        else:
            output.say("listening on ", url, ", as ", str(key))
        sys.stdout.flush()

    with log_to_stderr():
        listen(create_app(witness, clock), at, ready)
    return 0


def _address(text: str | None) -> tuple[str, int]:
    if text is None:
        return HOST, PORT
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or len(port) > 5:
        raise UsageError(f"--listen {text!r} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
