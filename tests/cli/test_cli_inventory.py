"""`licet inventory`: who owns what, from an empty folder on."""

from __future__ import annotations

import json
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from licet.cli import main
from licet.cli.inventory_kinds import kind_of
from licet.cli.inventory_list import share
from licet.events import LifecycleEvent, UseEvent
from licet.guard.state import open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.model import Declared, Identity
from licet.inventory.store import FILE, Inventory
from licet.inventory.views import missing
from licet.learn.runs import Run, Step
from licet.learn.uses import DAY, Usage
from licet.manifest import loads
from state_fixture import worked_in

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Captured = pytest.CaptureFixture[str]
ROLE = "arn:aws:iam::111122223333:role/invoices"
KEY = "AKIAIOSFODNN7EXAMPLE"
DOCUMENT: dict[str, Any] = {
    "environments": {"prod": {"accounts": ["111122223333"]}},
    "identities": [
        {"identity": ROLE, "kind": "role", "name": "invoices", "owner": "billing", "owner_contact": "b@acme.example", "uses": ["s3:*"]},
        {"identity": "system:serviceaccount:shop:orders", "kind": "service_account", "environment": "prod"},
        {"identity": "github:invoices", "kind": "bot", "same_as": ROLE},
    ],
    "credentials": [{"credential": KEY, "identity": ROLE, "credential_kind": "access_key", "expires": "2020-01-01"}],
}
MANIFEST = """\
licet: 1
environment: prod
owners: {ops: {name: Operations, contact: ops@acme.example}}
agents: {bot: {owner: ops, tasks: [work], identities: [system:serviceaccount:shop:orders]}}
tools: {look: {access: read, egress: false}}
tasks: {work: {intent: Work, ttl: 10m, tools: {look: {}}}}
"""


KINDS = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {tool: {access: read, egress: false}, other: {access: read, egress: false}}
tasks: {work: {intent: Work, ttl: 10m, tools: {tool: {}, other: {}}}}
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Path:
    """A state folder with the document imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    Path("identities.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    assert main(["inventory", "import", "identities.json"]) == 0
    assert capsys.readouterr().out == "identities.json: 3 identities and 1 credential declared\n"
    return tmp_path / "state"


def said(capsys: Captured, *arguments: str, code: int = 0) -> str:
    assert main(["inventory", *arguments]) == code
    return capsys.readouterr().out


def listed(capsys: Captured, *arguments: str) -> list[str]:
    return [each["identity"] for each in json.loads(said(capsys, "list", "--json", *arguments))["identities"]]


@pytest.mark.usefixtures("state")
def test_the_list_has_a_line_for_each_identity_and_its_other_names_under_it(capsys: Captured) -> None:
    lines = said(capsys, "list").splitlines()
    assert lines[1].split() == ["role", "billing", "(imported,", "0.8)", "-", "1", "expired", "-", "-", "0", ROLE]
    assert lines[2].split() == ["=", "github:invoices", "(confidence", "1;", "0", "uses)"]
    assert lines[3].startswith("service_account  nobody")
    assert lines[4] == "2 of 2 identities; 2 of them are machines' identities"


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    "option, found",
    [
        (["--unowned"], ["system:serviceaccount:shop:orders"]), (["--kind", "role"], [ROLE]), (["--owner", "billing"], [ROLE]),
        (["--environment", "prod"], ["system:serviceaccount:shop:orders"]), (["--unowned", "--kind", "role"], []), (["--shared"], []),
        (["--over-scoped"], []), (["--stale"], []),
    ],
    ids=" ".join,
)  # fmt: skip
def test_options_narrow_the_list(capsys: Captured, option: list[str], found: list[str]) -> None:
    assert listed(capsys, *option) == found


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("option, name", [("--owner", "biling"), ("--environment", "prd")])
def test_who_asks_for_an_owner_or_environment_that_nobody_has_is_told(capsys: Captured, option: str, name: str) -> None:
    assert main(["inventory", "list", option, name, "--unowned"]) == 0
    assert f"{option} {name}: no identity here has this {option[2:]}" in capsys.readouterr().err
    assert main(["inventory", "list", "--owner", "billing", "--kind", "bot"]) == 0
    assert not capsys.readouterr().err


def test_the_environment_of_its_account_is_not_missing() -> None:
    at = Identity("system:serviceaccount:shop:orders", "service_account")
    assert "an environment" in missing(at, Declared(), owned=True)
    assert "an environment" not in missing(at, Declared(), owned=True, environment="prod")


@pytest.mark.usefixtures("state")
def test_people_need_no_owner_and_are_among_the_unowned_only_where_asked_for(capsys: Captured) -> None:
    Path("people.json").write_text('{"identities": [{"identity": "okta:ada", "kind": "human"}]}', encoding="utf-8")
    said(capsys, "import", "people.json")
    assert listed(capsys, "--unowned") == ["system:serviceaccount:shop:orders"]
    assert listed(capsys, "--unowned", "--kind", "human") == ["okta:ada"]


@pytest.mark.usefixtures("state")
def test_a_manifest_is_declared_first(capsys: Captured) -> None:
    Path("licet.yaml").write_text(MANIFEST, encoding="utf-8")
    assert listed(capsys, "--owner", "ops", "-m", "licet.yaml") == ["agent:bot"]
    assert "Operations" in json.dumps(json.loads(said(capsys, "show", "system:serviceaccount:shop:orders", "--json")))


def test_an_owner_is_set_by_whom_and_how_surely_and_the_surest_counts(state: Path, capsys: Captured) -> None:
    out = said(capsys, "set-owner", ROLE, "payments", "--contact", "p@acme.example", "--by", "ada")
    assert out == f"{ROLE}: payments, confirmed, 1 (before: billing, imported, 0.8)\n"
    owners = json.loads(said(capsys, "show", "invoices", "--json"))["owners"]
    assert [(each["owner"], each["source"], each["by"]) for each in owners] == [
        ("payments", "confirmed", "ada"),
        ("billing", "imported", ""),
    ]
    assert main(["inventory", "set-owner", ROLE, "other", "--source", "tag"]) == 0
    assert "still counts: payments (confirmed, 1), which is surer" in capsys.readouterr().err
    assert main(["inventory", "set-owner", KEY, "payments"]) == 0
    capsys.readouterr()
    shown = json.loads(said(capsys, "show", KEY, "--json"))
    assert (shown["owners"][0]["owner"], shown["status"]) == ("payments", "expired")
    assert KEY.encode() not in b"".join(path.read_bytes() for path in state.glob("inventory.db*"))


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["set-owner", "nobody", "x"], "no identity or credential here is called so"),
        (["set-owner", ROLE, " "], "must say something"),
        (["set-owner", ROLE, "ghp_0123456789abcdefghijABCDEFGHIJ012345"], "looks like a secret"),
        (["show", "ghp_0123456789abcdefghijABCDEFGHIJ012345"], "secret itself"),
        (["import", "identities.txt"], "--format"), (["import", "gone.json"], "cannot be read"),
        (["export", "-o", "no/such/folder.json"], "cannot be written"), (["drift", KEY], "a credential has no permissions"),
    ],
    ids=["unknown", "nobody", "secret owner", "secret asked for", "no format", "no file", "no folder", "drift of a credential"],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_no_secret_is_repeated(capsys: Captured, arguments: list[str], message: str) -> None:
    assert main(["inventory", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "ghp_0123" not in err


@pytest.mark.usefixtures("state")
def test_a_name_of_several_is_none(capsys: Captured) -> None:
    Path("more.csv").write_text("identity,name\na,twin\nb,twin\n", encoding="utf-8")
    said(capsys, "import", "more.csv")
    assert main(["inventory", "show", "twin"]) == 2
    assert "is a name of several: a, b; give one of these" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
def test_a_bad_row_is_named_by_its_place_and_the_rest_goes_on(capsys: Captured) -> None:
    Path("bad.csv").write_text("identity,kind\nx,robot\ny,bot\n", encoding="utf-8")
    assert main(["inventory", "import", "bad.csv"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("bad.csv:2:2: error: `kind`: is none of service_account")
    assert captured.out == "bad.csv: 1 identity and 0 credentials declared; 1 row could not be used\n"


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_export_is_ours_alone_and_comes_back_the_same(capsys: Captured, form: str) -> None:
    said(capsys, "export", "-o", f"out.{form}")
    said(capsys, "import", f"out.{form}")
    said(capsys, "export", "-o", f"again.{form}")
    first, second = Path(f"out.{form}"), Path(f"again.{form}")
    assert first.read_bytes() == second.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert KEY not in first.read_text(encoding="utf-8")
    assert said(capsys, "export", "--format", form) == first.read_bytes().decode()


def test_what_shows_of_names_cannot_act_on_the_terminal(state: Path, capsys: Captured) -> None:
    Path("odd.json").write_text(
        json.dumps({"identities": [{"identity": "a\x1b[2Jb", "kind": "bot", "name": "\u202ename"}]}), encoding="utf-8"
    )
    said(capsys, "import", "odd.json")
    for command in (["list"], ["show", "a\x1b[2Jb"], ["drift"]):
        out = said(capsys, *command)
        assert "\x1b" not in out + capsys.readouterr().err
        assert "\u202e" not in out
    assert state.exists()


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    for command in (["list"], ["show", "x"], ["export"], ["drift"], ["set-owner", "x", "y"]):
        assert main(["inventory", *command]) == 2
        assert "nothing was taken in yet" in capsys.readouterr().err
    assert not (tmp_path / "state" / "inventory.db").exists()


@pytest.mark.usefixtures("state")
def test_a_credential_is_found_by_id_fingerprint_and_beginning(capsys: Captured, state: Path) -> None:
    uid = Fingerprints(secret(open_state(state))).of(KEY)
    assert {json.loads(said(capsys, "show", text, "--json"))["credential"] for text in (KEY, uid, uid[:16])} == {uid}


def test_task_kinds_are_held_against_the_calls_of_the_guard(tmp_path: Path, capsys: Captured) -> None:
    """Grants that were used, those of which nothing can be told yet, and tools outside the grants that were tried."""
    folder, _ = worked_in(tmp_path)
    out = said(capsys, "drift", "--json", "-m", str(tmp_path / "licet.yaml"), "--state", str(folder), code=1)
    kinds = {each["kind"]: each for each in json.loads(out)["task_kinds"]}
    assert (kinds["answer"]["sessions"], kinds["answer"]["used"], kinds["answer"]["young"]) == (1, 2, ["pay"])
    assert kinds["lookup"]["outside"] == {"send_email": 1}
    assert (kinds["alone"]["sessions"], kinds["alone"]["unused"]) == (0, {})


@pytest.mark.parametrize(
    "days, used, young, unused",
    [((10, 100), 1, (), {"other": "in none of 2 tasks since"}), ((10, 80), 1, ("other",), {}), ((100, 200), 0, ("tool", "other"), {})],
    ids=["older than the window", "younger", "no work in the window"],
)
def test_a_grant_of_a_task_kind_is_unused_only_if_its_kind_is_older_than_the_window_and_works(
    days: tuple[int, ...], used: int, young: tuple[str, ...], unused: dict[str, str]
) -> None:
    now = 1_790_000_000.0
    usage = Usage(loads(KINDS, now=now), now - 90 * DAY)
    for day in days:
        usage.add(Run(f"t{day}", "work", "x", (Step("tool", "start", None, {}, True),), now - day * DAY, "", ()))
    found = kind_of("work", usage.kinds["work"], Counter(), now, 90.0 * DAY)
    assert (found.used, found.young) == (used, young)
    assert {tool: evidence[: len(unused.get(tool, ""))] for tool, evidence in found.unused.items()} == unused


def test_more_credentials_than_are_shown_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    inventory = Inventory(open_state(str(tmp_path / "state")).path / FILE)
    uses = [
        UseEvent("t", f"{n}", 1_000.0 + n, "bot", "s3:ListBuckets", identity_kind="bot", credential=f"cred:{n}", digest="00", place="x:1")
        for n in range(13)
    ]
    inventory.keep(uses, [])
    inventory.close()
    assert said(capsys, "show", "bot").count("credential            active") == 10
    assert "credential            and 3 more; `--all` shows them" in said(capsys, "show", "bot")
    assert "more;" not in said(capsys, "show", "bot", "--all")


@pytest.mark.usefixtures("state")
def test_an_identity_is_found_by_the_last_part_of_its_uid_and_one_that_is_written_alike_is_named(capsys: Captured) -> None:
    """Also one that never acted, and so has no name."""
    assert json.loads(said(capsys, "show", "orders", "--json"))["identity"] == "system:serviceaccount:shop:orders"
    assert main(["inventory", "show", "order"]) == 2
    assert "called so; is system:serviceaccount:shop:orders meant?" in capsys.readouterr().err
    assert main(["inventory", "show", "%"]) == 2
    assert "`licet inventory list` lists identities" in capsys.readouterr().err


@pytest.mark.parametrize(
    "part, of, told", [(2_817, 2_818, "99.9%"), (1, 9_999, "0.1%"), (0, 3, "0.0%"), (3, 3, "100.0%"), (1, 3, "33.3%"), (0, 0, "none")]
)
def test_what_is_not_all_is_never_told_as_all(part: int, of: int, told: str) -> None:
    assert share(part, of) == told


def test_who_may_be_a_machine_is_told_in_the_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    inventory = Inventory(open_state(str(tmp_path / "state")).path / FILE)
    inventory.keep([UseEvent("t", f"{n}", 1_000.0 + n, "user" if n else "role", "s3:ListBuckets", identity_kind="unknown" if n else "role",
                             digest="00", place="x:1") for n in range(4)], [])  # fmt: skip
    inventory.close()
    told = said(capsys, "list")
    assert "of 1 more nothing says whether a machine or a person has them: 75.0% of the 4 uses by machines and by these" in told
    assert json.loads(said(capsys, "list", "--json"))["sums"]["unknown_uses"] == 3


def test_who_made_an_identity_and_what_it_was_given_is_shown_though_it_never_acted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """What an attacker made is what did nothing yet."""
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    inventory = Inventory(open_state(str(tmp_path / "state")).path / FILE)
    made = LifecycleEvent("t", "1", 1_700_000_000.0, "created", "made", by="mallory", digest="00", place="x:1")
    inventory.keep([], [made, made._replace(native_id="2", kind="granted", privilege="AdministratorAccess", time=1_700_000_001.0)])
    inventory.close()
    lines = [line for line in said(capsys, "show", "made").splitlines() if line.startswith("life ")]
    assert [line.split(maxsplit=2)[2] for line in lines] == ["created by mallory", "granted AdministratorAccess by mallory"]


@pytest.mark.usefixtures("state")
def test_drift_says_of_how_many_there_is_something_to_do(capsys: Captured) -> None:
    """Who has permissions and did nothing outside is not counted among those who did."""
    last = said(capsys, "drift").splitlines()[-1]
    assert last == "1 identity with permissions or a purpose: of 0 something can be taken out, 0 did what is outside; window 90 d"
