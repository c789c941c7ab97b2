"""`licet break-glass`: bounded, recorded, told, and over by itself."""

from __future__ import annotations

import json
import os
import pwd
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from evidence import records, whole
from licet import Denied, Guard
from licet.cli import main
from state_fixture import manifest_in

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]


class Mailbox:
    """A real SMTP server's handler that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.answer = "250 kept"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return self.answer


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.socket() as free:  # the controller cannot be told to choose a port itself
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("LICET_SMTP", f"smtp://127.0.0.1:{port}")
    yield box
    controller.stop()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    manifest_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("LICET_SMTP", raising=False)
    return tmp_path


@pytest.fixture
def used(place: Path) -> Path:
    """A guard has been there before."""
    Guard.from_file("licet.yaml").close()
    return place


def findings(capsys: Out) -> list[dict[str, Any]]:
    capsys.readouterr()
    main(["findings", "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return [finding for finding in found if finding["check"] == "break-glass"]


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return self.now()


def test_calls_of_the_kind_run_observed_until_the_time_is_over(place: Path, capsys: Out) -> None:
    clock = Clock()
    with Guard.from_file("licet.yaml", clock=clock) as guard:

        @guard.tool
        def send_email(to: str, body: str) -> str:
            return "sent"

        def mail() -> str:
            with guard.task("answer", intent="Answer", agent="bot", principal="user:grace"):
                return send_email("eve@evil.example", "x")

        with pytest.raises(Denied):
            mail()
        assert main(["break-glass", "answer", "--reason", "the CRM moved", "--minutes", "2"]) == 0
        assert "runs unenforced until" in capsys.readouterr().out
        assert mail() == "sent"
        clock.ahead = 121
        with pytest.raises(Denied):
            mail()
    whole(place / "state")
    (broken,) = records(place / "state", "break-glass")
    assert (broken["kind_of_task"], broken["why"]) == ("answer", "the CRM moved")


def test_each_owner_is_told_by_mail_or_it_is_said_that_nobody_was(used: Path, mailbox: Mailbox, capsys: Out) -> None:
    assert main(["break-glass", "answer", "--reason", "INC-1 \x1b[2J\u202e\nBcc: eve@evil.example", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [(row["owner"], row["told"]) for row in json.loads(out)["owners"]] == [("support", True), ("ops", False)]
    assert "nobody was told automatically (the contact is not an e-mail address): tell ops (#ops on the chat) yourself" in err
    ((to, content),) = mailbox.mails
    assert to == ["oncall@acme.example"]
    text = content.decode()
    assert "Subject: Licet: the glass was broken" in text
    assert "INC-1 \\u{1b}" in text.replace("=\r\n", "")
    assert not [character for character in text if ord(character) < 32 and character not in "\r\n"]
    assert [(f["owner"], f["severity"]) for f in findings(capsys)] == [("support", "high"), ("ops", "high")]
    told = [finding["sentence"] for finding in findings(capsys)]
    assert told[0].endswith("support was told by e-mail")
    assert told[1].endswith("ops was not told: the contact is not an e-mail address")


def test_without_a_relay_it_says_whom_to_tell(used: Path, capsys: Out) -> None:
    assert main(["break-glass", "lookup", "--reason", "x"]) == 0
    assert "nobody was told automatically (LICET_SMTP is not set): tell ops (#ops on the chat) yourself" in capsys.readouterr().err
    assert main(["break-glass", "alone", "--reason", "x"]) == 0
    assert "give the agents of this kind an `owner:`" in capsys.readouterr().err
    assert [finding["owner"] for finding in findings(capsys)] == ["ops", None]


def test_a_relay_that_refuses_or_is_not_there_is_said(used: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    mailbox.answer = "554 no \x1b[31m"
    assert main(["break-glass", "answer", "--reason", "x"]) == 0
    assert "did not take it" in capsys.readouterr().err
    monkeypatch.setenv("LICET_SMTP", "smtp://127.0.0.1:1")
    assert main(["break-glass", "answer", "--reason", "x"]) == 0
    assert "tell support (oncall@acme.example) yourself" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope", "--reason", "x"], ["answer"], ["answer", "--reason", " "], ["answer", "--reason", "x" * 501], ["answer", "--reason", "x", "--minutes", "0"],
        ["answer", "--reason", "x", "--minutes", "241"], ["answer", "--reason", "x", "--minutes", "1.5"], ["answer", "--reason", "x", "-m", "nowhere.yaml"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_2_and_breaks_nothing(arguments: list[str], place: Path, capsys: Out) -> None:
    assert main(["break-glass", *arguments]) == 2
    assert not (place / "state").exists()


def test_a_folder_that_no_guard_has_used_is_refused_and_not_made(place: Path, capsys: Out) -> None:
    assert main(["break-glass", "answer", "--reason", "x", "--state", "statte"]) == 2
    assert "no guard has ever used this folder" in capsys.readouterr().err
    assert not (place / "statte").exists()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:25", "http://mail", "smtp://", "smtp://u:p@mail", "smtp://mail:99999", "smtp://mail/x", "smtp://[::1"]
)
def test_a_relay_that_is_none_exits_2_and_breaks_nothing(url: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("LICET_SMTP", url)
    assert main(["break-glass", "answer", "--reason", "x"]) == 2
    assert "smtp://host:port" in capsys.readouterr().err
    assert not (place / "state").exists()


def test_who_broke_it_is_not_what_the_environment_says(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOGNAME", "ciso")
    Guard.from_file(place / "licet.yaml").close()
    assert main(["break-glass", "answer", "--reason", "x"]) == 0
    (record,) = records(place / "state", "break-glass")
    assert record["by"] == pwd.getpwuid(os.getuid()).pw_name
