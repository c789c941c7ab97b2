"""Records of GitHub's audit log, as it is streamed (docs.github.com, "Audit log events for your organization")."""

from __future__ import annotations

from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage

_KINDS = ("Personal access token (classic)", "Fine-grained personal access token")
_COUNTRIES = ("IE", "DE", "NL", "FR", "SE", "ES")
_ABROAD = ("BR", "ID", "VN", "UA", "ZA", "MX", "TR", "KZ")


class Bot(NamedTuple):
    """A machine's user in an organisation, and the repository that it works in."""

    org: str
    login: str
    number: int
    repo: str
    network: str
    program: str
    country: str
    kind: str

    @property
    def uid(self) -> str:
        """`github:LOGIN`."""
        return f"github:{self.login}"


def bot(stage: Stage) -> Bot:
    """A machine's user, drawn, or the real one that the stage has."""
    actor = stage.actor
    login, org = (actor.uid.removeprefix("github:"), actor.account) if actor is not None and actor.uid.startswith("github:") else ("", "")
    org = org or stage.name()
    return Bot(
        org, login or stage.name(), stage.rng.randrange(10**7, 2 * 10**8), f"{org}/{stage.name()}", stage.home(),
        f"git/2.{stage.rng.randrange(30, 49)}.{stage.rng.randrange(4)}", stage.rng.choice(_COUNTRIES), stage.rng.choice(_KINDS),
    )  # fmt: skip


def abroad(stage: Stage) -> str:
    """A country in which none of ours is."""
    return stage.rng.choice(_ABROAD)


def logged(
    stage: Stage, who: Bot, time: float, action: str, token: str = "", *, address: str = "", program: str = "", country: str = "",
    run: int = 0, live: bool = False, **more: Any,
) -> tuple[Record, str]:  # fmt: skip
    """What was done, and the record's id.

    Args:
        token: its hash; empty: done at the web site.
        run: of the workflow in which it was done.
        more: further keys of the record.
    """
    native, when = stage.letters(22), int(time * 1_000)
    body: dict[str, Any] = {
        "@timestamp": when, "_document_id": native, "action": action, "actor": who.login, "actor_id": who.number,
        "actor_ip": address or stage.at_home(who.network), "actor_is_bot": True,
        "actor_location": {"country_code": country or who.country}, "business": f"{who.org}-inc", "created_at": when,
        "operation_type": "access" if action.startswith("git.") else "modify", "org": who.org, "repo": who.repo,
        "repository_public": False,
    }  # fmt: skip
    if action.startswith("git."):
        body |= {"transport_protocol": 1, "transport_protocol_name": "http"}
    if token:
        body |= {"hashed_token": token, "programmatic_access_type": who.kind, "token_id": 10**9 + int.from_bytes(token.encode()[:4], "big")}
    if run:
        body["workflow_run_id"] = run
    body["user_agent"] = program or who.program
    return Record("github", line(body | more), time, live=live), native


def completed(stage: Stage, who: Bot, time: float, run: int, *, began: bool = False) -> tuple[Record, str]:
    """A run of a workflow began, or is over."""
    action = "workflows.created_workflow_run" if began else "workflows.completed_workflow_run"
    conclusion = None if began else "success"
    return logged(stage, who, time, action, run=run, event="push", head_branch="main", conclusion=conclusion)
