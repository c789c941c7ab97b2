"""What tries ended versions every day: a line for cron, or a service and a timer for systemd, to be put where they belong."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Literal

from licet.errors import UsageError


def schedule(kind: Literal["cron", "systemd"], name: str, manifest: str, state: str | None) -> str:
    """The text of it. The monitor runs behind the probe, whatever that said, since it makes the finding.

    Raises:
        UsageError: a path cannot be written in such a file.
    """
    licet = shutil.which("licet") or "licet"
    at = ["--state", str(Path(state).absolute())] if state is not None else []
    probe = [licet, "credential", "probe", name, "-m", str(Path(manifest).absolute()), *at]
    judge = [licet, "monitor", *at]
    if any(not each.isprintable() for each in (*probe, *judge)):
        raise UsageError("a path with a line break or a control character cannot stand in a schedule; name it otherwise")
    if kind == "cron":
        line = f"{shlex.join(probe)}; {shlex.join(judge)}".replace("%", "\\%")  # crontab(5): a bare % ends the line
        return f"17 4 * * * {line}\n"
    return f"""\
# /etc/systemd/system/licet-probe.service
[Unit]
Description=Whether ended versions of {_escaped(name)} still authenticate

[Service]
Type=oneshot
SuccessExitStatus=1
ExecStart={_line(probe)}
ExecStart={_line(judge)}

# /etc/systemd/system/licet-probe.timer
[Unit]
Description=Every day

[Timer]
OnCalendar=*-*-* 04:17:00
Persistent=true

[Install]
WantedBy=timers.target
"""


def _line(words: list[str]) -> str:
    """A command line of systemd.service(5): quoted, and nothing in it is expanded."""
    return " ".join('"' + _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"' for word in words)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
