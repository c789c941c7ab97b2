"""Events of Okta's System Log (developer.okta.com, "System Log API"), as pollers and log streams deliver them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, millis

BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
_SAYS = {
    "app.oauth2.as.token.grant.access_token": "OAuth2 access token is granted", "user.session.start": "User login to Okta",
    "user.authentication.sso": "User single sign on to app", "group.user_membership.add": "Add user to group membership",
    "app.oauth2.client.lifecycle.create": "Create OAuth client", "user.account.update_profile": "Update user profile for Okta",
}  # fmt: skip


class Account(NamedTuple):
    """Who acts: a client of OAuth, or a user of the directory. `type` is Okta's word for the kind."""

    id: str
    name: str
    type: str
    address: str
    program: str
    number: int
    """Of the autonomous system of its network."""

    @property
    def uid(self) -> str:
        """As the inventory calls it."""
        return f"okta:{self.id}"


def client(stage: Stage) -> Account:
    """A client of OAuth, drawn, or the real one that the stage has."""
    return _account(stage, "0oa", "PublicClientApp")


def user(stage: Stage) -> Account:
    """A user with a machine's work, drawn, or the real one that the stage has."""
    return _account(stage, "00u", "User")


def _account(stage: Stage, kind: str, word: str) -> Account:
    drawn = f"{kind}{stage.letters(17)}"
    real = stage.actor.uid.removeprefix("okta:") if stage.actor is not None and stage.actor.uid.startswith(f"okta:{kind}") else ""
    program = f"okta-sdk-golang/{stage.rng.randrange(2, 6)}.{stage.rng.randrange(9)}.0 golang/go1.{stage.rng.randrange(20, 24)}"
    return Account(real or drawn, stage.name(), word, stage.stranger(), program, stage.rng.randrange(1_000, 60_000))


def happened(
    stage: Stage, who: Account, time: float, event: str, *, token: str = "", program: str = "", targets: Sequence[Mapping[str, Any]] = (),
    refused: str = "", live: bool = False,
) -> tuple[Record, str]:  # fmt: skip
    """An event, and its id.

    Args:
        event: `user.session.start`.
        token: the id of the API token that it was done with.
        refused: why it was refused, as Okta names it; empty: it was done.
    """
    native, agent = stage.uuid(), program or who.program
    browser = "CHROME" if agent.startswith("Mozilla/") else "UNKNOWN"
    session = f"trs{stage.letters(22)}"
    place = {"city": None, "state": None, "country": "Ireland", "postalCode": None, "geolocation": {"lat": 53.0, "lon": -8.0}}
    body: dict[str, Any] = {
        "actor": {"id": who.id, "type": who.type, "alternateId": who.name, "displayName": who.name, "detailEntry": None},
        "client": {
            "userAgent": {"rawUserAgent": agent, "os": "Mac OS X" if browser == "CHROME" else "Unknown", "browser": browser},
            "zone": "null", "device": "Computer" if browser == "CHROME" else "Unknown", "id": None if who.type == "User" else who.id,
            "ipAddress": who.address, "geographicalContext": place,
        },
        "device": None,
        "authenticationContext": {
            "authenticationProvider": None, "credentialProvider": None, "credentialType": None, "issuer": None, "interface": None,
            "authenticationStep": 0, "rootSessionId": session, "externalSessionId": session,
        },
        "displayMessage": _SAYS.get(event, event), "eventType": event,
        "outcome": {"result": "FAILURE" if refused else "SUCCESS", "reason": refused or None}, "published": millis(time),
        "securityContext": {"asNumber": who.number, "asOrg": None, "isp": None, "domain": ".", "isProxy": False},
        "severity": "WARN" if refused else "INFO", "debugContext": {"debugData": {"requestUri": "/api/v1", "url": "/api/v1?"}},
        "legacyEventType": None,
        "transaction": {"type": "WEB", "id": stage.letters(22), "detail": {"requestApiTokenId": token} if token else {}},
        "uuid": native, "version": "0", "request": {"ipChain": [{"ip": who.address, "geographicalContext": place, "version": "V4",
                                                                 "source": None}]},
        "target": list(targets) or None,
    }  # fmt: skip
    return Record("okta", line(body), time, live=live), native


def target(stage: Stage, kind: str, named: str = "", *, id: str = "") -> dict[str, Any]:
    """What an event is about. `kind` as `AppInstance`."""
    return {"id": id or f"00g{stage.letters(17)}", "type": kind, "alternateId": "unknown", "displayName": named or stage.name(),
            "detailEntry": None}  # fmt: skip
