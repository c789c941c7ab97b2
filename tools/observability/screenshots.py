"""Pictures of a blocked task in Jaeger's own pages, taken from a running Jaeger with headless Chromium.

    make jaeger                                                             # in one terminal
    python tools/observability/screenshots.py http://127.0.0.1:16686 docs/images

Exit codes: 0 done; 1 the page is not Jaeger's, or shows no blocked task; 3 there is no Chromium.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.parse
from pathlib import Path

from browser import Browser, NoPicture, find_browser
from stack import find

SERVICE = "support-bot"
DENIED = {"licet.decision.outcome": "deny", "licet.decision.reason": "origin.argument"}

_TO_THE_DECISION = """(() => {
  const row = [...document.querySelectorAll('.detail-row tr')].find(row => row.textContent.startsWith('licet.decision.judged'));
  let box = row.parentElement;
  const scrolls = () => box.scrollHeight > box.clientHeight + 1 && getComputedStyle(box).overflowY !== 'visible';
  while (box.parentElement && !scrolls()) box = box.parentElement;
  box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top;
})()"""


def refuse_the_placeholder(browser: Browser, url: str) -> None:
    """Raises `NoPicture` where the page is not Jaeger's user interface."""
    browser.open(f"{url}/search")
    browser.wait_for("document.readyState === 'complete'")
    if "not the Jaeger UI" in str(browser.ask("document.body.innerText")):
        raise NoPicture(
            f"{url} is a Jaeger without its pages: the Go module of a release carries a placeholder. Take `jaeger` of a release "
            "(https://www.jaegertracing.io/download/), or give built pages to `make jaeger` by LICET_JAEGER_UI; docs/jaeger.md says how"
        )


def blocked(url: str) -> str:
    """A task with a call that was refused for where its argument came from. Raises `NoPicture` where there is none."""
    traces = sorted(find(url, SERVICE, DENIED))
    if not traces:
        raise NoPicture(f"{url} has no trace of {SERVICE} with a denied call; run `make jaeger`, and leave it running")
    return traces[-1]


def search_page(browser: Browser, url: str, path: Path) -> None:
    """The list of tasks with a denied call."""
    asked = {"service": SERVICE, "lookback": "1h", "limit": "20", "tags": json.dumps({"licet.decision.outcome": "deny"})}
    browser.open(f"{url}/search?{urllib.parse.urlencode(asked)}")
    browser.wait_for("document.querySelector('.ResultItem') !== null")
    settle(browser)
    browser.picture(path, 620)


def trace_page(browser: Browser, url: str, trace: str, path: Path) -> None:
    """The blocked task, with the denied call open."""
    browser.open(f"{url}/trace/{trace}")
    rows = "[...document.querySelectorAll('.span-row')]"
    browser.wait_for(f"{rows}.length >= 8")
    settle(browser)
    browser.picture(path.with_name("jaeger-trace.png"), 540)
    denied = f"{rows}.find(row => row.textContent.includes('send_email') && row.querySelector('.SpanBarRow--errorIcon'))"
    browser.ask(f"{denied}.querySelector('.span-view').click()")
    browser.wait_for("document.querySelector('.detail-row') !== null")
    browser.ask(
        "document.querySelector('.detail-row .AccordianKeyValues--header, .detail-row [class*=AccordionAttributes--header]').click()"
    )
    browser.wait_for("document.querySelector('.detail-row').innerText.includes('licet.decision.sentence')")
    settle(browser)
    # The attributes scroll in a box of their own: to what was decided, and why.
    browser.ask(_TO_THE_DECISION)
    browser.ask(f"window.scrollBy(0, {denied}.getBoundingClientRect().top - 260)")
    settle(browser)
    browser.picture(path, 780)


def settle(browser: Browser) -> None:
    """Until all letters are there and nothing moves."""
    browser.ask("document.fonts.ready.then(() => new Promise(done => setTimeout(done, 1000)))")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python tools/observability/screenshots.py http://127.0.0.1:16686 docs/images",
    )
    parser.add_argument("url", metavar="URL", help="where Jaeger's pages are")
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="where the pictures go; made where it is missing")
    options = parser.parse_args()
    url = options.url.rstrip("/")
    try:
        program = find_browser()
    except NoPicture as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 3
    try:
        with Browser(program) as browser:
            refuse_the_placeholder(browser, url)
            trace = blocked(url)
            options.directory.mkdir(parents=True, exist_ok=True)
            search_page(browser, url, options.directory / "jaeger-search.png")
            trace_page(browser, url, trace, options.directory / "jaeger-denied.png")
    except (NoPicture, OSError) as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(options.directory / name) for name in ("jaeger-search.png", "jaeger-trace.png", "jaeger-denied.png")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
