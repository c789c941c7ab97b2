"""Who watches says that nobody can rely on the monitoring: once, each hour, and when it is over; and never too seldom."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from licet.cli import main
from licet.drill.alarm import Alarm, Command
from licet.drill.looked import checked, of_folder, of_url
from licet.drill.watch import AGAIN, NOTHING, Memory, Owed, Seen, after, alarm_of, key_of, taken, told
from licet.errors import StateError, UsageError
from licet.monitor.deliveries import Reply

NOW = 1_790_000_000.0
BLIND = ("no result for 20 min",)


class Ear:
    """A channel that takes what it is told to."""

    def __init__(self, *, takes: bool = True, name: str = "ear") -> None:
        self.takes, self.name, self.key = takes, name, name
        self.heard: list[Alarm] = []

    def send(self, alarm: Alarm, now: float) -> Reply:
        if self.takes:
            self.heard.append(alarm)
        return Reply(self.takes, "" if self.takes else "nobody there")


def looks(path: Path, ear: Ear, *seen: Seen) -> list[str]:
    """What was heard by these looks, each by a watcher that was started anew."""
    for each in seen:
        told(each, [ear], Memory(path), "it", lambda: NOW)
    return [each.kind for each in ear.heard]


def test_it_is_said_once_again_each_hour_and_when_it_is_over(tmp_path):
    ear, minutes = Ear(), [Seen(NOW + 60 * number, BLIND if 5 <= number < 135 else ()) for number in range(140)]
    assert looks(tmp_path / "m", ear, *minutes) == ["blind", "still", "still", "over"]
    assert [each.time - NOW for each in ear.heard] == [300, 300 + AGAIN, 300 + 2 * AGAIN, 135 * 60]
    assert {each.since - NOW for each in ear.heard} == {300}
    assert len({each.id for each in ear.heard}) == 4


def test_what_is_not_taken_is_said_with_the_next_look_whoever_was_restarted(tmp_path):
    ear = Ear(takes=False)
    assert looks(tmp_path / "m", ear, Seen(NOW, BLIND), Seen(NOW + 60, BLIND)) == []
    ear.takes = True
    assert looks(tmp_path / "m", ear, Seen(NOW + 120, BLIND), Seen(NOW + 180, BLIND)) == ["blind"]
    assert ear.heard[0].since == NOW


def test_a_blindness_that_ended_before_anybody_took_it_is_still_said(tmp_path):
    ear = Ear(takes=False)
    looks(tmp_path / "m", ear, Seen(NOW, BLIND), Seen(NOW + 60), Seen(NOW + 120))
    ear.takes = True
    assert looks(tmp_path / "m", ear, Seen(NOW + 180), Seen(NOW + 240)) == ["over"]
    assert (ear.heard[0].since, ear.heard[0].time, ear.heard[0].why) == (NOW, NOW + 60, BLIND)


def test_who_is_killed_between_the_answer_and_the_note_says_it_again_under_the_same_id(tmp_path):
    ear = Ear()
    looks(tmp_path / "m", ear, Seen(NOW, BLIND))
    Memory(tmp_path / "m").keep({key_of(ear, "it"): Owed(NOW, why=BLIND)})  # as it was before the answer
    looks(tmp_path / "m", ear, Seen(NOW + 60, BLIND))
    assert ear.heard[0].id == ear.heard[1].id


def test_each_channel_is_owed_by_itself(tmp_path):
    deaf, well = Ear(takes=False, name="deaf"), Ear(name="well")
    for number in range(3):
        told(Seen(NOW + 60 * number, BLIND), [deaf, well], Memory(tmp_path / "m"), "it", lambda: NOW)
    assert (len(deaf.heard), len(well.heard)) == (0, 1)
    deaf.takes = True
    told(Seen(NOW + 200, BLIND), [deaf, well], Memory(tmp_path / "m"), "it", lambda: NOW)
    assert (len(deaf.heard), len(well.heard)) == (1, 1)


def test_a_look_at_one_thing_says_nothing_of_another_on_the_same_channel(tmp_path):
    ear = Ear()
    for watched, seen in (("A", Seen(NOW, BLIND)), ("B", Seen(NOW + 60)), ("B", Seen(NOW + 120, BLIND)), ("A", Seen(NOW + 180))):
        told(seen, [ear], Memory(tmp_path / "m"), watched, lambda: NOW)
    assert [(each.kind, each.watched, each.since) for each in ear.heard] == [
        ("blind", "A", NOW), ("blind", "B", NOW + 120), ("over", "A", NOW),
    ]  # fmt: skip


def test_a_command_with_other_arguments_is_another_channel_and_none_of_them_is_written_down(tmp_path):
    path = tmp_path / "m"
    for name in ("one", "two"):
        words = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", str(tmp_path / name)]
        told(Seen(NOW, BLIND), [Command(words)], Memory(path), "it", lambda: NOW)
    assert [len((tmp_path / name).read_text().splitlines()) for name in ("one", "two")] == [1, 1]
    assert str(tmp_path) not in path.read_text()


def test_what_is_blind_again_before_its_end_was_heard_is_the_same_blindness():
    owed = after(after(after(NOTHING, Seen(NOW, BLIND)), Seen(NOW + 60)), Seen(NOW + 120, BLIND))
    assert (owed.since, owed.over) == (NOW, 0.0)


def test_since_when_it_is_blind_is_what_the_drills_say_and_never_in_the_future():
    assert after(NOTHING, Seen(NOW, BLIND, NOW - 900)).since == NOW - 900
    assert after(NOTHING, Seen(NOW, BLIND, NOW + 900)).since == NOW


def test_once_it_is_over_and_heard_nothing_is_owed():
    owed = after(after(NOTHING, Seen(NOW, BLIND)), Seen(NOW + 60))
    alarm = alarm_of(owed, NOW + 60, "it")
    assert alarm is not None
    assert taken(owed, alarm, NOW + 60) == NOTHING
    assert alarm_of(NOTHING, NOW, "it") is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"ear": [1]}', '{"ear": ["x", 0, 0, 0, []]}', '{"ear": [0, 0, 0, 0, "why"]}'])
def test_a_memory_that_is_damaged_is_an_error_and_no_silence(tmp_path, text):
    (tmp_path / "m").write_text(text)
    (tmp_path / "m").chmod(0o600)
    with pytest.raises(StateError, match="take it away"):
        Memory(tmp_path / "m")


def test_a_memory_that_cannot_be_written_stops_the_sending(tmp_path):
    ear = Ear()
    memory = Memory(tmp_path / "nowhere" / "m")
    with pytest.raises(StateError, match="cannot be written"):
        told(Seen(NOW, BLIND), [ear], memory, "it", lambda: NOW)
    assert ear.heard == []


def test_a_folder_that_cannot_be_read_or_has_no_drill_is_blind(tmp_path):
    assert of_folder(tmp_path, NOW).why
    from contextlib import closing

    from licet.drill.book import Book

    with closing(Book(tmp_path / "drill.db")):
        pass
    assert "no drill has a result" in " ".join(of_folder(tmp_path, NOW).why)


class Health(http.server.BaseHTTPRequestHandler):
    """Answers what it is told to."""

    status = 200
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not on standard error."""


@pytest.fixture
def health() -> Iterator[tuple[str, type[Health]]]:
    kind = type("Mine", (Health,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/healthz/monitoring", kind
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("status", [200, 503, 500, 404, 302, 204])
def test_nothing_but_200_says_that_all_is_well(health, status):
    url, kind = health
    kind.status = status
    seen = of_url(url, NOW, again=0.0)
    assert (not seen.why) is (status == 200)
    assert kind.asked == (1 if status in {200, 503} else 2)  # what may be the network's is asked twice


def test_who_does_not_answer_is_blind():
    assert "cannot be reached" in of_url("http://127.0.0.1:9/healthz", NOW, again=0.0).why[0]


@pytest.mark.parametrize("url", ["http://licet.acme.example/", "https://u:p@licet.acme.example/", "ftp://x/", "licet", "https://a b/"])
def test_an_address_whose_answer_anybody_could_give_is_not_asked(url):
    with pytest.raises(UsageError):
        checked(url)


def test_the_command_says_it_once_and_that_it_is_over(tmp_path, health, capsys, monkeypatch):
    monkeypatch.setattr("licet.drill.looked._AGAIN", 0.0)
    url, kind = health
    out = tmp_path / "heard"
    words = ["drill", "watch", "--url", url, "--once", "--memory", str(tmp_path / "m"), "--command", sys.executable, "-c"]
    words.append(f"import sys; open({str(out)!r}, 'a').write(sys.stdin.read())")
    assert main(words) == 0
    kind.status = 503
    assert main(words) == 1
    capsys.readouterr()
    for _ in range(2):
        assert main(words) == 1
        assert "told already, and again at" in (said := capsys.readouterr().out)
        assert f"{url}: answered 503" in said
    kind.status = 200
    assert [main(words), main(words)] == [0, 0]
    assert [json.loads(line)["type"] for line in out.read_text().splitlines()] == ["monitoring.blind", "monitoring.over"]
    assert f"{url}: answered 503" in json.loads(out.read_text().splitlines()[0])["data"]["why"]
    assert "well" in capsys.readouterr().out


def test_the_command_wants_somebody_to_tell_and_one_thing_to_watch(tmp_path, capsys):
    assert main(["drill", "watch", "--url", "https://a.example/", "--once"]) == 2
    assert "nobody would be told" in capsys.readouterr().err
    assert main(["drill", "watch", "--url", "https://a.example/", "--state", str(tmp_path), "--command", "true"]) == 2
