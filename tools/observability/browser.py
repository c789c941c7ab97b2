"""A headless Chromium, spoken to over its own pipe (Chrome DevTools Protocol) with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class NoPicture(Exception):
    """There is no browser, or the page does not become what was waited for; the text says which."""


def find_browser() -> str:
    """`LICET_BROWSER`, else a Chromium of the PATH. Raises `NoPicture`."""
    named = os.environ.get("LICET_BROWSER")
    found = next((path for name in ([named] if named else NAMES) if (path := shutil.which(name))), None)
    if found is None:
        what = f"LICET_BROWSER={named} is no program" if named else "there is no Chromium or Chrome on the PATH"
        raise NoPicture(f"{what}; install one, or name it by LICET_BROWSER")
    return found


class Browser:
    """One page in one window, of so many CSS pixels."""

    def __init__(self, program: str, wide: int = 1440, high: int = 900) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="licet-browser-", ignore_cleanup_errors=True)
        its_reads, writes = os.pipe()
        self._reads, its_writes = os.pipe()
        self._writes = writes
        command = [program, "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        command += [f"--user-data-dir={self._profile.name}", f"--window-size={wide},{high}", "--proxy-server=direct://", "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium has none for root
        # It reads commands on 3, and writes answers on 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{its_reads} 4>&{its_writes}', *command],
            pass_fds=(its_reads, its_writes), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(its_reads)
        os.close(its_writes)
        self._number, self._unread, self._session, self._wide = 0, b"", "", wide
        page = next(each for each in self._do("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self._session = self._do("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        self._do("Emulation.setDeviceMetricsOverride", width=wide, height=high, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._reads)
        os.close(self._writes)
        self._profile.cleanup()

    def open(self, url: str) -> None:
        """Go to an address. Raises `NoPicture` if nobody answers there."""
        failed = self._do("Page.navigate", url=url).get("errorText")
        if failed:
            raise NoPicture(f"{url}: {failed}")

    def ask(self, script: str) -> Any:
        """What a JavaScript expression says in the page."""
        told = self._do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise NoPicture(f"the page cannot do `{script[:80]}`: {told['exceptionDetails'].get('text', '')}")
        return told["result"].get("value")

    def wait_for(self, script: str, seconds: float = 30.0) -> Any:
        """What an expression says as soon as it is something. Raises `NoPicture` if it never is."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if found := self.ask(script):
                return found
            time.sleep(0.1)
        raise NoPicture(f"the page does not come to `{script[:120]}`; it shows: {str(self.ask('document.body.innerText'))[:300]!r}")

    def picture(self, path: Path, high: int) -> None:
        """The upper part of the window, as PNG."""
        part = {"x": 0, "y": self.ask("window.scrollY"), "width": self._wide, "height": high, "scale": 1}
        path.write_bytes(base64.b64decode(self._do("Page.captureScreenshot", format="png", clip=part)["data"]))

    def _do(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | ({"sessionId": self._session} if self._session else {})
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise NoPicture(f"the browser refuses {method}: {answer['error'].get('message', '')}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self, method: str, seconds: float = 60.0) -> dict[str, Any]:
        """The next message: an answer, or an event."""
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._reads], [], [], seconds)
            more = os.read(self._reads, 1 << 20) if ready else b""
            if not more:
                raise NoPicture(f"the browser {'has ended' if ready else 'does not answer'} ({method})")
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told
