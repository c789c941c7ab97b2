"""The intake: whatever the cut, the order and the ends of files, the same is kept; what cannot be read is named."""

from __future__ import annotations

import gc
import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from licet.ingest.intake import FUTURE, Intake
from licet.ingest.paths import files_in
from licet.ingest.quality import flows, refusals
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable
from licet.ingest.sources import source_of
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import Inventory
from taking import NOW, Still, kept, lines, places, record, run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def cut(records: list[dict[str, Any]], rng: random.Random, folder: Path) -> list[Path]:
    """The records in several files of several forms, in any order, some of them twice."""
    some = records + rng.sample(records, len(records) // 5)
    rng.shuffle(some)
    files: list[Path] = []
    while some:
        size = rng.randrange(1, 1 + len(some))
        mine, some = some[:size], some[size:]
        path = folder / f"{len(files)}.log"
        form = rng.randrange(6)
        if form == 0:
            path.write_bytes(lines(mine))
        elif form == 1:
            path.write_bytes(gzip.compress(lines(mine)))
        elif form == 2:
            path.write_bytes(gzip.compress(b'{"Records": [' + b", ".join(map(_raw, mine)) + b"]}"))
        elif form == 3:
            path.write_bytes(b'{\n "Records": [\n' + b",\n".join(map(_raw, mine)) + b"\n]\n}\n")
        elif form == 4:
            path.write_bytes(b"[" + b",".join(map(_raw, mine)) + b"]")
        else:
            path.write_bytes(lines(mine).rstrip(b"\n").replace(b"\n", b"\r\n\n"))
        files.append(path)
    return files


def _raw(each: dict[str, Any]) -> bytes:
    return json.dumps(each).encode()


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_is_the_same_for_any_cut_into_files_any_order_and_any_steps(seed: int, tmp_path: Path, home: Path):
    rng = random.Random(seed)
    records = [record(number) for number in range(rng.randrange(1, 150))]
    whole = tmp_path / "whole.log"
    whole.write_bytes(lines(records))
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    run(home, whole)
    for path in cut(records, rng, tmp_path):
        report = run(other, path, batch=rng.randrange(1, 60))
        assert report.well
    assert kept(other) == kept(home)
    inventory = Inventory(home / "inventory.db")
    assert sum(each.uses for each in inventory.identities()) == len(records)
    inventory.close()


def test_a_second_run_reads_nothing(tmp_path: Path, home: Path):
    for name, content in (("a.log", lines(map(record, range(9)))), ("b.gz", gzip.compress(lines(map(record, range(9, 20)))))):
        (tmp_path / name).write_bytes(content)
        before = run(home, tmp_path / name)
        again = run(home, tmp_path / name)
        assert (before.records > 0, before.unchanged) == (True, 0)
        assert (again.records, again.unchanged, again.kept.again) == (0, 1, 0)
    anew = run(home, tmp_path / "a.log", from_start=True)
    assert (anew.kept.uses, anew.kept.again) == (0, 9)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_file_that_grew_is_read_on_from_where_it_was(packed: bool, tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    pack: Callable[[bytes], bytes] = gzip.compress if packed else bytes
    content = b""
    for first in range(0, 50, 10):
        content += pack(lines(map(record, range(first, first + 10))))
        path.write_bytes(content)
        report = run(home, path, batch=7)
        assert (report.records, report.kept.uses, report.kept.again) == (10, 10, 0)


def test_a_line_that_is_half_written_waits_until_it_is_whole(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    content = b"".join(json.dumps(record(number, userAgent="grüße/2.1"), ensure_ascii=False).encode() + b"\n" for number in range(3))
    ends = {at + more for at, sign in enumerate(content) if sign in b"\n\xbc\x9f" for more in (-1, 0, 1, 2)}
    inventory = Inventory(home / "inventory.db")
    for at in sorted({*range(1, len(content) + 1, 11), *ends, len(content)} & set(range(1, len(content) + 1))):
        path.write_bytes(content[:at])
        intake = Intake(inventory, source_of("cloudtrail"), Fingerprints(b"k" * 32).of, clock=Still())
        with path.open("rb") as file:
            intake.take(str(path), file)
        report = intake.finish()
        assert not report.refused
        cut_off = content[at - 1 : at] != b"\n" and content[at : at + 1] != b"\n"
        assert bool(report.stuck) is cut_off
    inventory.close()
    assert places(home) == ["1", "2", "3"]


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    path.write_bytes(lines(map(record, range(30))))
    run(home, path)
    path.rename(tmp_path / "a.log.1")
    path.write_bytes(lines(map(record, range(100, 190))))  # longer than the one before
    report = run(home, path)
    assert (report.records, report.kept.uses) == (90, 90)
    rotated = run(home, tmp_path / "a.log.1")
    assert (rotated.kept.uses, rotated.kept.again) == (0, 30)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_gzip_file_that_is_cut_off_gives_what_stands_before_the_cut_and_says_so(part: float, tmp_path: Path, home: Path):
    rng = random.Random(1)
    records = [record(number, requestID=f"{rng.getrandbits(256):x}") for number in range(3_000)]
    packed = gzip.compress(lines(records))
    path = tmp_path / "a.gz"
    path.write_bytes(packed[: int(len(packed) * part)])
    report = run(home, path, batch=500)
    assert report.stuck == {str(path): "the gzip file is cut off"}
    assert 0 < report.kept.uses < 3_000
    assert not report.refused
    assert run(home, path).stuck == report.stuck  # as long as it is
    path.write_bytes(packed)
    rest = run(home, path)
    assert report.kept.uses + rest.kept.uses == 3_000
    assert rest.kept.again == 0
    assert rest.well


def test_a_document_that_is_cut_off_gives_what_stands_before_the_cut(tmp_path: Path, home: Path):
    path = tmp_path / "a.json"
    content = json.dumps({"Records": [record(number) for number in range(5)]}, indent=1).encode()
    path.write_bytes(content[: content.index(b"00000003-")])
    report = run(home, path)
    assert (report.kept.uses, len(report.stuck)) == (3, 1)
    path.write_bytes(content)
    rest = run(home, path)
    assert (rest.kept.uses, rest.kept.again, rest.well) == (2, 0, True)


BAD = {
    "not JSON": b'{"a": }',
    "no object": b"[1]",
    "a key stands twice": b'{"eventName": "A", "eventName": "B"}',
    "a number that JSON does not have (NaN, Infinity)": b'{"a": NaN}',
    "nested too deep": b'{"a":' + b"[" * 100_000,
    "not UTF-8": b'{"a": "\xff"}',
    "`eventID`: is missing": b'{"eventName": "GetObject", "eventSource": "s3.amazonaws.com"}',
    FUTURE: json.dumps(record(1, eventTime="2027-01-16T00:00:00Z")).encode(),
    "`eventTime`: is before the year 2000": json.dumps(record(1, eventTime="1999-01-01T00:00:00Z")).encode(),
}


def test_each_bad_record_is_counted_by_its_cause_with_file_and_line_and_the_rest_goes_on(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    content = b""
    for number, bad in enumerate(BAD.values()):
        content += lines([record(number)]) + bad + b"\n" + bad + b"\n"
    path.write_bytes(content)
    report = run(home, path)
    assert report.kept.uses == len(BAD)
    assert report.refused == {cause: (2, f"{path}:{3 * number + 2}") for number, cause in enumerate(BAD)}
    assert not report.well


def test_one_bad_record_of_a_document_does_not_stop_the_others(tmp_path: Path, home: Path):
    items = [_raw(record(1)), b'{"a": 1, "a": 2}', b"7", b'{"b": NaN}', _raw(record(2))]
    path = tmp_path / "a.json"
    for number, content in enumerate((b'{"Records": [' + b", ".join(items) + b"]}", b'{\n"Records": [\n' + b",\n".join(items) + b"\n]\n}")):
        path.write_bytes(content)
        report = run(home, path)
        assert (report.kept.uses, report.kept.again) == ((2, 0), (0, 2))[number]
        assert sum(count for count, _ in report.refused.values()) == 3
        at = sorted(first.rpartition(":")[2] for _, first in report.refused.values())
        assert at == (["1", "1", "1"], ["4", "5", "6"])[number]


def test_a_file_whose_first_line_is_broken_is_still_read_line_by_line(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    path.write_bytes(b'{"eventName": "A",\n' + lines([record(1), record(2)]))
    report = run(home, path)
    assert (report.kept.uses, sum(count for count, _ in report.refused.values())) == (2, 1)


def test_half_a_character_neither_stops_the_intake_nor_hides_the_record(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    path.write_bytes(_raw(record(1)).replace(b'"b1"', b'"\\ud800"') + b"\n" + _raw(record(2)).replace(b"aws-sdk-go", b"\\uDFFF") + b"\n")
    report = run(home, path)
    assert (report.kept.uses, report.well) == (2, True)


def test_of_a_key_only_its_last_four_characters_are_shown_and_its_id_is_nowhere(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    path.write_bytes(lines([record(5)]))
    run(home, path)
    inventory = Inventory(home / "inventory.db")
    [credential] = inventory.credentials_of("arn:aws:iam::111122223333:role/r5")
    inventory.close()
    assert credential.shown == "Q005"
    for file in home.iterdir():
        assert b"ASIAQQQQQQQQQQQQQ005" not in file.read_bytes()


def test_a_secret_in_a_record_is_in_no_file_of_the_state_folder(tmp_path: Path, home: Path):
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    path = tmp_path / "a.log"
    path.write_bytes(lines([record(1, userAgent=secret, errorCode=secret, requestParameters={"bucketName": secret})]))
    assert run(home, path).kept.uses == 1
    for file in home.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_each_text_is_bounded_and_two_long_names_stay_two(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    long = [json.dumps({
        "id": f"{number}", "time": "2026-03-01T12:00:00Z", "kind": "issued", "identity": "x" * 5_000 + str(number),
    }).encode() for number in range(2)]  # fmt: skip
    path.write_bytes(b"\n".join(long))
    report = run(home, path, source="lifecycle")
    inventory = Inventory(home / "inventory.db")
    names = [each.uid for each in inventory.identities()]
    inventory.close()
    assert report.refused or len(names) == 2
    assert all(len(name) <= 2_000 for name in names)


def test_what_is_from_the_future_now_is_taken_once_its_time_has_come(tmp_path: Path, home: Path):
    path = tmp_path / "a.log"
    path.write_bytes(lines([record(1, eventTime="2027-01-16T00:00:00Z")]))
    assert run(home, path).kept.uses == 0
    assert run(home, path, from_start=True, now=NOW + 86_400 * 30).kept.uses == 1


def test_a_pipe_is_read_to_its_end_and_kept(home: Path):
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out:
        out.write(lines(map(record, range(20))))
    inventory = Inventory(home / "inventory.db")
    intake = Intake(inventory, source_of("cloudtrail"), Fingerprints(b"k" * 32).of, clock=Still())
    with os.fdopen(read, "rb") as file:
        intake.take("-", file)
    assert intake.finish().kept.uses == 20
    assert inventory.cursor("cloudtrail", "-") is None
    inventory.close()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="what cannot be read though it can be opened is made by Linux alone")
def test_a_file_that_can_be_opened_and_not_read_is_told_and_the_others_are_read(tmp_path: Path, home: Path):
    (tmp_path / "good.jsonl").write_bytes(lines(record(number) for number in range(3)))
    report = run(home, Path("/proc/self/mem"), tmp_path / "good.jsonl")
    assert "cannot be read: Input/output error" in report.unreadable["/proc/self/mem"]
    assert (report.kept.uses, report.files, report.well) == (3, 1, False)


@pytest.mark.parametrize("form", ["lines", "document", "gzip"])
def test_what_is_refused_is_counted_once_however_often_its_file_is_read_from_its_start(form: str, tmp_path: Path, home: Path):
    good = [record(number) for number in range(4)]
    bad = [{"eventID": "x"}] * 3
    path = tmp_path / "f"

    def written(records: list[dict[str, Any]]) -> None:
        raw = json.dumps({"Records": records}).encode() if form == "document" else lines(records)
        path.write_bytes(gzip.compress(raw) if form == "gzip" else raw)

    written([*good, *bad])
    told = [run(home, path, from_start=number > 0, batch=2) for number in range(3)]
    assert [sum(number for number, _ in each.refused.values()) for each in told] == [3, 3, 3]
    inventory = Inventory(home / "inventory.db")
    assert [(each.number, each.first) for each in refusals(inventory)] == [(3, f"{path}:{1 if form == 'document' else 5}")]
    written([*bad, *good, *bad])  # another file of this name
    run(home, path, from_start=True)
    assert [each.number for each in refusals(inventory)] == [9]
    if form == "lines":
        with path.open("ab") as file:
            file.write(lines(bad[:1]))
        run(home, path, from_start=True)
        assert [each.number for each in refusals(inventory)] == [10]
    inventory.close()


def test_a_name_of_a_face_stands_in_no_count(tmp_path: Path, home: Path):
    """Each sign-in says that its application and its service principal are one."""
    signed = [
        {"id": f"s{number}", "createdDateTime": f"2026-03-01T12:0{number}:00Z", "appId": "app-1", "servicePrincipalId": "principal-1",
         "servicePrincipalName": "r", "status": {"errorCode": 0}, "ipAddress": "203.0.113.7", "resourceDisplayName": "Graph", "tenantId": "t"}
        for number in range(3)
    ]  # fmt: skip
    (tmp_path / "e.jsonl").write_bytes(lines(signed))
    first = run(home, tmp_path / "e.jsonl", source="entra")
    assert first.kept == (3, 0, 0, 0)
    second = run(home, tmp_path / "e.jsonl", source="entra", from_start=True)
    assert second.kept == (0, 0, 3, 0)
    inventory = Inventory(home / "inventory.db")
    assert [each.again for each in flows(inventory)] == [3]
    assert inventory.rows("SELECT count(*) FROM identities WHERE same_as<>''") == [(1,)]
    inventory.close()


def test_a_folder_is_all_its_files_sorted_and_what_is_no_file_is_named(tmp_path: Path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("z.log", "b/2.log", "b/c/1.log", "a.log"):
        (tmp_path / name).write_bytes(b"")
    os.mkfifo(tmp_path / "b" / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    found, unreadable = files_in([str(tmp_path), str(tmp_path / "nowhere"), "-", str(tmp_path / "a.log")])
    assert found == [*(str(tmp_path / name) for name in ("a.log", "z.log", "b/2.log", "b/c/1.log")), "-"]
    assert sorted(unreadable) == [str(tmp_path / "b" / "pipe"), str(tmp_path / "nowhere")]


def test_the_collector_of_garbage_is_left_as_it_was(tmp_path: Path, home: Path):
    before = gc.get_threshold()
    (tmp_path / "a.log").write_bytes(lines(map(record, range(9))))
    try:
        for threshold in ((700, 10, 10), (0, 10, 10)):
            gc.set_threshold(*threshold)
            run(home, tmp_path / "a.log")
            assert gc.get_threshold() == threshold
    finally:
        gc.set_threshold(*before)


_PATCH = {
    "kind": "Event", "level": "Request", "auditID": "7b1c6c1e-0c57-4ac5-9d8c-2f1d5c3f6a10", "stage": "ResponseComplete", "verb": "patch",
    "user": {"username": "system:serviceaccount:shop:web"}, "requestURI": "/x", "responseStatus": {"code": 200},
    "objectRef": {"resource": "clusterrolebindings", "name": "b", "apiGroup": "rbac.authorization.k8s.io"},
    "requestReceivedTimestamp": "2026-03-01T12:00:00.000000Z", "requestObject": "BODY",
}  # fmt: skip


@pytest.mark.parametrize(
    "body",
    ['{"subjects":null,"subjects":[]}', '{"z":' + "[" * 9000 + "]" * 9000 + "}", '{"z":' + "9" * 5000 + "}", '{"z":NaN}', '{"z":"\\ud800"}',
     '{"y":"\\ud800","z":' + "[" * 980 + "]" * 980 + "}", '{"subjects":[{"kind":"User","name":7}]}'],
    ids=["twice", "deep", "number", "nan", "half", "half-and-deep", "kind"],
)  # fmt: skip
@pytest.mark.parametrize(
    "around", ["{}", '{{"kind":"EventList","items":[{}]}}', '{{"time":"2026-03-01T12:00:00Z","properties":{{"log":{!s}}}}}']
)
def test_nobody_hides_a_request_by_what_he_writes_into_its_body(body: str, around: str, tmp_path: Path) -> None:
    record = json.dumps(_PATCH).replace('"BODY"', body)
    record = around.format(json.dumps(record) if "log" in around else record)
    after = json.dumps({**_PATCH, "auditID": "another", "requestObject": None})
    log = tmp_path / "audit.log"
    log.write_text(f"{record}\n{after}\n")
    report = run(tmp_path, log, source="kubernetes")
    assert report.kept.uses == 2
    assert not report.stuck


def test_of_two_equal_keys_in_a_body_the_last_counts_as_for_the_server(tmp_path: Path) -> None:
    body = '{"roleRef":{"name":"admin"},"subjects":null,"subjects":[{"kind":"User","name":"eve"}]}'
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(_PATCH).replace('"BODY"', body) + "\n")
    report = run(tmp_path, log, source="kubernetes")
    assert (report.kept.uses, report.kept.lifecycle, list(report.refused)) == (1, 1, ["a key stands twice"])


def test_a_body_that_a_reader_refuses_takes_only_itself_with_it(tmp_path: Path) -> None:
    def read(found: Record, at: Place) -> Recognised:
        if "body" in found:
            raise Unreadable("is no object", "body")
        return source_of("cloudtrail").read(found, at)

    inventory = Inventory(tmp_path / "inventory.db")
    intake = Intake(inventory, Source("cloudtrail", "", read, 0.0, bodies=("body",)), Fingerprints(b"k" * 32).of, clock=Still())
    log = tmp_path / "a.log"
    log.write_bytes(lines([record(1, body=7), record(2)]))
    with log.open("rb") as file:
        intake.take(str(log), file)
    report = intake.finish()
    inventory.close()
    assert (report.kept.uses, report.refused) == (2, {"`body`: is no object": (1, f"{log}:1")})


def test_an_event_at_a_time_that_cannot_be_takes_only_itself_with_it(tmp_path: Path) -> None:
    user = {"username": "system:serviceaccount:shop:web", "extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]}}
    stale = {"authentication.k8s.io/stale-token": "seconds after warning threshold: 999999999"}
    log = tmp_path / "audit.log"
    log.write_bytes(lines([{**_PATCH, "user": user, "annotations": stale}]))
    report = run(tmp_path, log, source="kubernetes")
    assert (report.kept.uses, report.kept.lifecycle, sum(number for number, _ in report.refused.values())) == (1, 0, 1)
