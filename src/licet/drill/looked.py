"""What the watcher looks at: a state folder's book and ledger, or an address that says by its status whether all is well."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from licet.clock import iso, lasting
from licet.drill.keys import pinned
from licet.drill.score import Scorecard
from licet.drill.status import status
from licet.drill.watch import Seen
from licet.errors import LicetError, UsageError
from licet.manifest.identities import is_loopback
from licet.version import VERSION

TIMEOUT: Final = 10.0
"""Seconds for all of a request."""

_AGAIN: Final = 3.0  # seconds after which what did not answer is asked once more
_MOST: Final = 10  # reasons


def of_folder(folder: Path, now: float, within: float = 0.0) -> Seen:
    """What the drills of a state folder say, by the verdict of `licet drill status`. What cannot be read is blind.

    Args:
        within: seconds within which there is to be a result, if it is less than the schedule's own.
    """
    try:
        card = status(folder, now, trusted=pinned(), figures=False)
    except LicetError as error:
        return Seen(now, (str(error),))
    return seen_of(card, now, within)


def seen_of(card: Scorecard, now: float, within: float = 0.0) -> Seen:
    """What a scorecard says of now: FAIL is blind, and nothing else is; which parts are is said first.

    One rule for `licet drill status`, `/healthz/monitoring` and this: who asks one of them hears what the others say.
    """
    why = [] if card.passed else [f"{each.part}: blind since {iso(each.since)}" for each in card.blind]
    why += [each.said for each in card.reasons]
    since = [each.since for each in card.blind]
    last = max((each.began for each in card.drills), default=0.0)
    if within and last and now - last > within:
        why, since = [*why, f"no result for {lasting(now - last)}, and one was wanted within {lasting(within)}"], [*since, last + within]
    shown = (*why[:_MOST], *([f"and {len(why) - _MOST} more"] if len(why) > _MOST else ()))
    return Seen(now, shown, min(since, default=0.0) if why else 0.0)


def of_url(url: str, now: float, timeout: float = TIMEOUT, again: float = _AGAIN) -> Seen:
    """What an address says: with 200 all is well, with anything else and with silence it is not."""
    why = _asked(url, timeout)
    if why and not why.endswith(" 503"):  # a network may fail for a moment; who says so itself means it
        time.sleep(again)
        why = _asked(url, timeout)
    return Seen(now, (why,) if why else ())


def checked(url: str) -> str:
    """The address, if one may ask it.

    Raises:
        UsageError: it is none, or anybody on the way could answer.
    """
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError:
        host = None
    if not host or found.scheme not in ("http", "https") or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("--url is no address; write https://HOST[:PORT]/healthz/monitoring")
    if found.username is not None or found.password is not None:
        raise UsageError("--url has a user or a password in it, and stands where others read")
    if found.scheme == "http" and not is_loopback(host):
        raise UsageError("--url is without TLS, which is for this machine alone: anybody on the way could say that all is well")
    return url


def _asked(url: str, timeout: float) -> str:
    """Why not all is well; empty: it is."""
    box: list[str] = []
    thread = threading.Thread(target=lambda: box.append(_answer(url, timeout)), name="licet-watch", daemon=True)
    thread.start()
    thread.join(timeout)
    return box[0] if box else f"{_shown(url)}: no answer within {timeout:g} s"


def _answer(url: str, timeout: float) -> str:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    # A cache on the way would say for ever what was.
    request = urllib.request.Request(url, headers={"User-Agent": f"licet/{VERSION}", "Cache-Control": "no-store, no-cache"})  # noqa: S310
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            status = int(response.status or 0)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{_shown(url)}: cannot be reached ({type(getattr(error, 'reason', error)).__name__})"
    return "" if status == 200 else f"{_shown(url)}: answered {status}"


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever can redirect could have somebody else say that all is well."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Never."""
