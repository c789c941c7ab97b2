"""Findings handed to others: signed, at least once, whatever the other side does and whenever we end; against a real server on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exported import Receiver
from licet.cli.main import main
from licet.errors import StateError, UsageError
from licet.inventory.store import Inventory
from licet.monitor.deliveries import LONGEST_ASKED, LONGEST_WAIT, Delivered, Message, Reply, Stands, deliver, wait_after
from licet.monitor.webhook import Webhook, checked, seconds_of, secret_of, signature
from licet.records import Because, Explanation, Finding
from licet.telemetry.read_logs import ReadLog, logs_of
from stories import HOUR, ME, START, Story, happened, use

Out = pytest.CaptureFixture[str]
SECRET = bytes(range(32))
NOW = 1_790_000_000.0
Answer = int | tuple[int, dict[str, str]] | Callable[[Any], None]


class Server:
    """Answers as it is told to, in order; then 204. `came`: the headers and bodies of what came, in order."""

    def __init__(self, *answers: Answer) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.answers = list(answers)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
                answer = server.answers.pop(0) if server.answers else 204
                if callable(answer):
                    answer(self)
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/s3cret-path"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    open_: list[Server] = []

    def make(*answers: Answer) -> Server:
        open_.append(Server(*answers))
        return open_[-1]

    yield make
    for each in open_:
        each.close()


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    found = Inventory(tmp_path / "inventory.db")
    yield found
    found.close()


def stands(number: int, *, version: str = "v1", withdrawn: bool = False) -> Stands:
    why = Explanation(ME, (), (Because("REVIVED", "seen", "expected", "lifecycle", START),), ())
    finding = Finding(f"{number:024x}", START + number, "monitor.revived", "high", f"Seen {number}", explanation=why)
    return Stands(finding, version, withdrawn, START)


ONE, TWO, THREE = stands(1), stands(2), stands(3)


def sink(server: Server, timeout: float = 5.0) -> Webhook:
    return Webhook(server.url, SECRET, timeout)


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of its reference implementations, which each of them is tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}') == wanted


def test_what_is_posted_is_signed_and_says_what_was_found(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve()
    assert deliver(inventory, sink(server), [ONE], NOW) == Delivered(1, 0)
    ((headers, body),) = server.came
    told = json.loads(body)
    assert (told["type"], told["data"]["id"], told["data"]["codes"]) == ("finding.opened", ONE.finding.id, ["REVIVED"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert headers["webhook-timestamp"] == str(int(NOW))
    assert headers["content-type"] == "application/json"


def test_what_was_taken_is_not_handed_over_again(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve()
    deliver(inventory, sink(server), [ONE, TWO], NOW)
    assert deliver(inventory, sink(server), [ONE, TWO], NOW + HOUR) == Delivered()
    assert len(server.came) == 2


def test_another_sink_has_its_own_count(inventory: Inventory, serve: Callable[..., Server]) -> None:
    first, second = serve(), serve()
    deliver(inventory, sink(first), [ONE], NOW)
    assert deliver(inventory, sink(second), [ONE], NOW).taken == 1


def test_a_change_and_a_withdrawal_are_said_to_who_knows_of_the_finding(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve()
    assert deliver(inventory, sink(server), [stands(1, withdrawn=True)], NOW) == Delivered()
    for stood in (ONE, stands(1, version="v2"), stands(1, version="v3", withdrawn=True)):
        deliver(inventory, sink(server), [stood], NOW)
    assert [json.loads(body)["type"] for _, body in server.came] == ["finding.opened", "finding.changed", "finding.withdrawn"]
    assert [json.loads(body)["data"]["status"] for _, body in server.came] == ["open", "open", "withdrawn"]
    assert len(set(server.ids)) == 3


def cut_off(handler: Any) -> None:
    handler.connection.close()


def hanging(handler: Any) -> None:
    time.sleep(3)


def dribbling(handler: Any) -> None:
    """A good answer, a byte now and then: no step of it takes long."""
    for byte in b"HTTP/1.1 204 No Content\r\n\r\n":
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize(
    "answer",
    [500, 503, 429, 404, 401, 410, 304, 399, cut_off, hanging, dribbling],
    ids=["500", "503", "429", "404", "401", "410", "304", "399", "cut off", "hanging", "dribbling"],
)
def test_what_is_not_taken_is_tried_again_under_the_same_id(answer: Answer, inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve(answer)
    done = deliver(inventory, sink(server, 0.5), [ONE], NOW)
    assert (done.taken, done.waiting) == (0, 1)
    assert done.why.startswith(server.url.partition("/hook")[0])
    assert "s3cret-path" not in done.why
    assert done.due > NOW
    assert deliver(inventory, sink(server), [ONE], done.due - 1).taken == 0
    assert deliver(inventory, sink(server), [ONE], done.due).taken == 1
    assert len(set(server.ids)) == 1
    assert server.came[0][1] == server.came[1][1]


def test_a_redirect_is_not_followed(inventory: Inventory, serve: Callable[..., Server]) -> None:
    other = serve()
    for status in (301, 302, 303, 307, 308):
        server = serve((status, {"Location": other.url}))
        assert "redirects" in deliver(inventory, sink(server), [ONE], NOW).why
    assert other.came == []


def test_a_server_that_is_down_waits_longer_each_time(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve()
    server.close()
    now, waits = NOW, []
    for _ in range(12):
        done = deliver(inventory, sink(server), [ONE], now)
        waits.append(done.due - now)
        now = done.due
    assert waits[:4] == [5, 20, 80, 320]
    assert waits[-1] == LONGEST_WAIT
    assert wait_after(10**6) == LONGEST_WAIT


@pytest.mark.parametrize("status", [429, 503])
def test_a_sink_that_wants_to_be_left_alone_is(status: int, inventory: Inventory, serve: Callable[..., Server]) -> None:
    """All messages wait, and not only the one that it said so of."""
    server = serve((status, {"Retry-After": "1800"}))
    done = deliver(inventory, sink(server), [ONE, TWO], NOW)
    assert (done.taken, done.waiting, done.due) == (0, 2, NOW + 1_800)
    assert deliver(inventory, sink(server), [ONE, TWO], NOW + 1_799).taken == 0
    assert len(server.came) == 1
    assert deliver(inventory, sink(server), [ONE, TWO], NOW + 1_800).taken == 2


@pytest.mark.parametrize(
    "said, wanted",
    [("120", 120.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 20.0), ("-5", 0.0), ("soon", 0.0), ("", 0.0), ("9" * 400, 0.0), ("٣", 0.0)],
    ids=["seconds", "date", "negative", "word", "nothing", "endless", "other digits"],
)
def test_how_long_a_sink_wants_to_wait(said: str, wanted: float) -> None:
    assert seconds_of(said, 1_445_412_460.0) == wanted


def test_nobody_can_have_us_wait_for_ever(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve((429, {"Retry-After": "99999999"}))
    assert deliver(inventory, sink(server), [ONE], NOW).due == NOW + LONGEST_ASKED


def test_a_message_that_cannot_be_taken_holds_no_other_up(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve(400, 413, 204)
    done = deliver(inventory, sink(server), [ONE, TWO, THREE], NOW)
    assert (done.taken, done.waiting) == (1, 2)


def test_a_message_that_breaks_the_server_holds_no_other_up(inventory: Inventory, serve: Callable[..., Server]) -> None:
    """Those that were tried less often go first."""
    server = serve(500, 204, 204)
    assert deliver(inventory, sink(server), [ONE, TWO, THREE], NOW).taken == 2
    server.answers = [500, 500]
    server.came.clear()
    deliver(inventory, sink(server), [ONE, stands(4)], NOW + HOUR)
    assert server.ids[0].startswith(stands(4).finding.id)


def test_a_server_that_fails_twice_in_a_row_is_left_alone(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve(*[500] * 9)
    every = [stands(number) for number in range(9)]
    assert deliver(inventory, sink(server), every, NOW).waiting == 9
    assert len(server.came) == 2
    deliver(inventory, sink(server), every, NOW + 1)
    assert len(server.came) == 2


def test_only_the_newest_form_of_a_finding_is_handed_over(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve(500)
    deliver(inventory, sink(server), [ONE], NOW)
    assert deliver(inventory, sink(server), [stands(1, version="v2")], NOW + HOUR) == Delivered(1, 0)
    assert server.ids[-1].endswith("_v2")
    assert deliver(inventory, sink(server), [stands(1, version="v2")], NOW + 2 * HOUR) == Delivered()


class Dying:
    """A sink that has the message, when we end before it says so."""

    name = "dying"

    def __init__(self) -> None:
        self.ids: list[str] = []

    def send(self, message: Message, now: float) -> Reply:
        self.ids.append(message.id)
        if len(self.ids) == 2:
            raise KeyboardInterrupt
        return Reply(taken=True)


def test_who_ends_before_the_answer_hands_the_same_message_over_again(inventory: Inventory) -> None:
    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        deliver(inventory, dying, [ONE, TWO, THREE], NOW)
    assert deliver(inventory, dying, [ONE, TWO, THREE], NOW) == Delivered(2, 0)
    assert [each.partition("_")[0] for each in dying.ids] == [each.finding.id for each in (ONE, TWO, TWO, THREE)]


@pytest.mark.parametrize(
    "url",
    [
        "http://siem.example/x",
        "https://u:p@siem.example",
        "https://u@siem.example",
        "ftp://siem.example",
        "siem.example",
        "https://",
        "https://a b",
        "https://siem.example:99999",
        "https://siem.example/#x",
        "https://siem.example/\n",
        "http://127.0.0.1.siem.example/",
        "http://[::1",
        "",
    ],
)
def test_an_address_that_is_none_or_open_to_others_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--to"):
        checked(url)


@pytest.mark.parametrize("url", ["https://siem.example/a?b=c", "http://127.0.0.1:8/x", "http://localhost/", "http://[::1]:80/"])
def test_an_address_over_tls_or_on_this_machine_is_taken(url: str) -> None:
    assert checked(url) == url


def test_no_secret_stands_in_the_inventory(inventory: Inventory, serve: Callable[..., Server], tmp_path: Path) -> None:
    """A webhook's path is often as good as a password."""
    deliver(inventory, sink(serve(500)), [ONE], NOW)
    inventory.close()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("inventory.db*"))
    assert b"127.0.0.1" in held
    assert b"s3cret-path" not in held


def secret_file(folder: Path, text: str = f"whsec_{base64.b64encode(SECRET).decode()}\n", mode: int = 0o600) -> str:
    path = folder / "hook.secret"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_a_secret_is_read_from_a_file_that_is_ours_alone(tmp_path: Path) -> None:
    assert secret_of(secret_file(tmp_path)) == SECRET
    with pytest.raises(StateError, match="0640"):
        secret_of(secret_file(tmp_path, mode=0o640))


@pytest.mark.parametrize(
    "text", ["", "whsec_", "secret", base64.b64encode(SECRET).decode(), "whsec_c2hvcnQ=", "whsec_!", f"whsec_{'A' * 900}"]
)
def test_a_file_that_holds_no_secret_is_refused_without_quoting_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        secret_of(secret_file(tmp_path, text))
    assert not text.removeprefix("whsec_") or text.removeprefix("whsec_") not in str(refused.value).replace("secret", "")


# The command --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    found = Inventory(folder / "inventory.db")
    items = [use(0), happened(HOUR, "revoked", identity=ME, credential="cred:one"), use(3 * HOUR), use(0, identity="x", credential="cred:x"),
             happened(HOUR, "revoked", identity="x", credential="cred:x"), use(3 * HOUR, identity="x", credential="cred:x")]  # fmt: skip
    Story(items, now=START + 6 * HOUR).signals(found)
    found.close()
    monkeypatch.setenv("LICET_STATE", str(folder))
    return folder


def test_the_command_ends_with_1_while_something_waits(state: Path, serve: Callable[..., Server], capsys: Out) -> None:
    server = serve(204, 500)
    words = ["findings", "deliver", "--to", server.url, "--secret-file", secret_file(state.parent), "--once"]
    assert main(words) == 1
    told = capsys.readouterr()
    assert "1 finding delivered, 1 waiting" in told.out
    assert "answered 500" in told.err
    assert "s3cret-path" not in told.err + told.out
    with Inventory(state / "inventory.db").step() as db:
        db.execute("UPDATE deliveries SET next=0")
    assert main(words) == 0
    assert len(set(server.ids)) == 2


def test_what_is_suppressed_is_not_handed_over(state: Path, serve: Callable[..., Server], capsys: Out) -> None:
    assert main(["findings", "--json", "--identity", ME]) == 0
    uid = json.loads(capsys.readouterr().out)["findings"][0]["id"]
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    assert main(["findings", "suppress", uid, "--until", day, "--reason", "known", "--by", "ann"]) == 0
    server = serve()
    assert main(["findings", "deliver", "--to", server.url, "--secret-file", secret_file(state.parent), "--once"]) == 0
    assert [json.loads(body)["data"]["identity"] for _, body in server.came] == ["x"]


def test_killed_in_the_middle_nothing_is_lost(state: Path, serve: Callable[..., Server]) -> None:
    """The server has a message, and we are killed before its answer; the next run hands the same one over, and the rest."""
    reached, go_on = threading.Event(), threading.Event()

    def waiting(handler: Any) -> None:
        reached.set()
        go_on.wait(20)

    server = serve(204, waiting)
    words = [sys.executable, "-m", "licet", "findings", "deliver", "--to", server.url, "--secret-file", secret_file(state.parent)]
    process = subprocess.Popen(words, env=os.environ | {"LICET_STATE": str(state)}, stdout=subprocess.DEVNULL)
    assert reached.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    go_on.set()
    assert main([*words[3:], "--once"]) == 0
    first, second, again = server.ids
    assert (again, first != second) == (second, True)


def test_two_at_once_do_not_deliver_twice(state: Path, serve: Callable[..., Server], capsys: Out) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def waiting(handler: Any) -> None:
        reached.set()
        go_on.wait(20)
        handler.send_response(204)
        handler.end_headers()

    server = serve(waiting)
    words = ["findings", "deliver", "--to", server.url, "--secret-file", secret_file(state.parent), "--once"]
    other = threading.Thread(target=main, args=(words,))
    other.start()
    assert reached.wait(30)
    assert main(words) == 2
    go_on.set()
    other.join()
    assert "another `licet findings deliver` is at work" in capsys.readouterr().err
    assert len(server.came) == 2


def test_over_otlp_each_is_a_log_event_once(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    receiver = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    assert main(["findings", "deliver", "--otlp", "--once"]) == 0
    assert main(["findings", "deliver", "--otlp", "--once"]) == 0
    receiver.close()
    found = [log for request in receiver.logs for log in logs_of(request, "here:1") if isinstance(log, ReadLog)]
    assert sorted(str(each.attributes["licet.identity.id"]) for each in found) == sorted([ME, "x"])
    assert {each.event for each in found} == {"licet.finding"}


def test_a_collector_that_is_down_takes_nothing(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    receiver = Receiver()
    receiver.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    assert main(["findings", "deliver", "--otlp", "--once"]) == 1
    assert "2 waiting" in capsys.readouterr().out


def test_of_one_that_changed_the_body_is_that_of_its_newest_form(inventory: Inventory, serve: Callable[..., Server]) -> None:
    server = serve()
    newer = replace(stands(1, version="v2").finding, sentence="Seen again")
    deliver(inventory, sink(server), [Stands(newer, "v2", False, START)], NOW)
    assert json.loads(server.came[0][1])["data"]["sentence"] == "Seen again"
