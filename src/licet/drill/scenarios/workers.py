"""Machines that do their work with one lasting credential, each as its platform logs it, so that one play is played on several."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from licet.drill.natives import cloudtrail, entra, github, kubernetes, okta
from licet.drill.scenario import Record
from licet.drill.scenarios.operations import (
    IN_AWS,
    IN_CLUSTER,
    IN_DIRECTORY,
    IN_REPOSITORY,
    OVER_AWS,
    OVER_CLUSTER,
    OVER_DIRECTORY,
    OVER_REPOSITORY,
    Pairs,
)
from licet.drill.stage import Stage

Made = tuple[Record, str]
"""A record, and its native id."""


class Away(NamedTuple):
    """From where somebody else works. What a platform does not log is not used there."""

    address: str
    program: str
    region: str
    country: str


class Work(Protocol):
    """Does something, and gives the record of it."""

    def __call__(
        self, time: float, *, operation: str = "", credential: str = "", away: Away | None = None, denied: bool = False, live: bool = False
    ) -> Made:
        """At that time; empty: what it does every day, with its own credential. `denied` is nothing that GitHub logs."""


class Worker(NamedTuple):
    """A machine's identity.

    Attributes:
        kind: as an import calls it.
        credential: as logs show it.
        home: its network, as findings show it.
        another: draws another credential of it, as logs show it.
        ends: records, in the platform's own log, that a credential of it was ended, with the id; None where it has no such.
        unusual: what others do every day, and it never did, as `work` takes it; empty where all do the same.
        sensitive: what it never did, of the kind that is sensitive; as `work` takes it.
        regions: in which it works, where the platform has such.
    """

    source: str
    uid: str
    kind: str
    credential: str
    home: str
    work: Work
    another: Callable[[], str]
    ends: Callable[[float, str], Made] | None
    unusual: str
    sensitive: tuple[str, ...]
    regions: tuple[str, ...] = ()


def away(stage: Stage) -> Away:
    """Somebody's own machine, far from where the others are."""
    return Away(stage.stranger(), stage.strange_program(), cloudtrail.far(stage), github.abroad(stage))


def worker(stage: Stage, source: str) -> Worker:
    """One on this source.

    Raises:
        KeyError: no machine is known of this source.
    """
    return _OF[source](stage)


def _cloudtrail(stage: Stage) -> Worker:
    who, key = cloudtrail.user(stage), stage.access_key()
    daily = stage.rng.choice(IN_AWS)

    def work(
        time: float, *, operation: str = "", credential: str = "", away: Away | None = None, denied: bool = False, live: bool = False
    ) -> Made:  # fmt: skip
        return cloudtrail.called(
            stage, who, time, operation or stage.rng.choice(daily), credential or key, address=away.address if away else "",
            program=away.program if away else "", region=away.region if away else "", error="AccessDenied" if denied else "", live=live,
        )  # fmt: skip

    def ends(time: float, credential: str) -> Made:
        """A person switches it off, or deletes it."""
        person = cloudtrail.administrator(stage, who.account)
        asked = {"userName": who.name.rpartition("/")[2], "accessKeyId": credential}
        name = stage.rng.choice(("iam:UpdateAccessKey", "iam:DeleteAccessKey"))
        if name == "iam:UpdateAccessKey":
            asked["status"] = "Inactive"
        return cloudtrail.called(stage, person, time, name, stage.access_key(temporary=True), parameters=asked)

    return Worker(
        "cloudtrail", who.uid, "service_account", key, f"{who.network}.0/24", work, stage.access_key, ends, _unusual(stage, daily, IN_AWS),
        tuple(stage.rng.sample(OVER_AWS, 3)), (who.region,),
    )  # fmt: skip


def _kubernetes(stage: Stage) -> Worker:
    who, token = kubernetes.account(stage), kubernetes.jti(stage)
    daily = stage.rng.choice(IN_CLUSTER)

    def work(
        time: float, *, operation: str = "", credential: str = "", away: Away | None = None, denied: bool = False, live: bool = False
    ) -> Made:  # fmt: skip
        return kubernetes.called(
            stage, who, time, operation or stage.rng.choice(daily), credential or token, name=stage.name(), denied=denied, live=live,
            address=away.address if away else "", program=away.program if away else "",
        )  # fmt: skip

    return Worker(
        "kubernetes", who.uid, "service_account", token, f"{who.network}.0/24", work, lambda: kubernetes.jti(stage), None,
        _unusual(stage, daily, IN_CLUSTER),
        tuple(stage.rng.sample(OVER_CLUSTER, 3)),
    )  # fmt: skip


def _github(stage: Stage) -> Worker:
    who, token = github.bot(stage), stage.token_hash()
    daily = stage.rng.choice(IN_REPOSITORY)

    def work(
        time: float, *, operation: str = "", credential: str = "", away: Away | None = None, denied: bool = False, live: bool = False
    ) -> Made:  # fmt: skip
        if denied:
            raise ValueError("GitHub logs what was done only")
        return github.logged(
            stage, who, time, operation or stage.rng.choice(daily), credential or token, live=live, address=away.address if away else "",
            program=away.program if away else "", country=away.country if away else "",
        )  # fmt: skip

    def ends(time: float, credential: str) -> Made:
        """An administrator of the organisation takes it out, at the web site."""
        program = okta.BROWSER.format(stage.rng.randrange(118, 140))
        person = who._replace(login=stage.name(), number=stage.rng.randrange(10**5, 10**7), network=stage.home(), program=program)
        return github.logged(
            stage, person, time, "org_credential_authorization.revoke", hashed_token=credential, user=who.login, actor_is_bot=False
        )  # fmt: skip

    return Worker(
        "github", who.uid, "bot", token, f"{who.network}.0/24", work, stage.token_hash, ends, _unusual(stage, daily, IN_REPOSITORY),
        tuple(stage.rng.sample(OVER_REPOSITORY, 3)),
    )  # fmt: skip


def _okta(stage: Stage) -> Worker:
    who, token = okta.user(stage), _token_id(stage)
    daily = stage.rng.choice(IN_DIRECTORY)

    def work(
        time: float, *, operation: str = "", credential: str = "", away: Away | None = None, denied: bool = False, live: bool = False
    ) -> Made:  # fmt: skip
        here = who._replace(address=away.address, number=stage.rng.randrange(60_000, 65_000)) if away else who
        return okta.happened(
            stage, here, time, operation or stage.rng.choice(daily), token=credential or token, program=away.program if away else "",
            targets=[okta.target(stage, "AppGroup")], refused="ACCESS_DENIED" if denied else "", live=live,
        )  # fmt: skip

    def ends(time: float, credential: str) -> Made:
        """An administrator revokes it."""
        program = okta.BROWSER.format(stage.rng.randrange(118, 140))
        person = okta.user(stage)._replace(id=f"00u{stage.letters(17)}", program=program)
        of = [okta.target(stage, "Token", id=credential), okta.target(stage, "User", who.name, id=who.id)]
        return okta.happened(stage, person, time, "system.api_token.revoke", targets=of)

    return Worker(
        "okta", who.uid, "service_account", token, f"AS{who.number}", work, lambda: _token_id(stage), ends,
        _unusual(stage, daily, IN_DIRECTORY),
        tuple(stage.rng.sample(OVER_DIRECTORY, 3)),
    )  # fmt: skip


def _token_id(stage: Stage) -> str:
    return f"00T{stage.letters(17)}"


def _entra(stage: Stage) -> Worker:
    who, key, spare = entra.app(stage), stage.uuid(), stage.uuid()

    def work(
        time: float, *, operation: str = "", credential: str = "", away: Away | None = None, denied: bool = False, live: bool = False
    ) -> Made:  # fmt: skip
        here = who._replace(address=away.address, network=stage.rng.randrange(60_000, 65_000)) if away else who
        return entra.signed_in(
            stage, here, time, key=credential or key, program=away.program if away else "", to=operation or entra.GRAPH,
            error=7_000_222 if denied else 0, live=live,
        )  # fmt: skip

    def ends(time: float, credential: str) -> Made:
        """A person takes the secret out, and leaves another."""
        _, (of,) = entra.secret_added(who, credential, [spare])
        (keys,) = of["modifiedProperties"]
        keys["oldValue"], keys["newValue"] = keys["newValue"], keys["oldValue"]
        return entra.changed(stage, entra.person(stage, who.tenant), time, "Remove service principal credentials", [of])

    return Worker("entra", who.uid, "oauth_app", key, f"AS{who.network}", work, stage.uuid, ends, "", ())


def _unusual(stage: Stage, daily: tuple[str, str], all_of: Pairs) -> str:
    return stage.rng.choice(sorted({each for pair in all_of for each in pair} - set(daily)))


_OF: dict[str, Callable[[Stage], Worker]] = {
    "cloudtrail": _cloudtrail,
    "kubernetes": _kubernetes,
    "github": _github,
    "okta": _okta,
    "entra": _entra,
}

SOURCES = tuple(_OF)
"""Of which machines are known."""
