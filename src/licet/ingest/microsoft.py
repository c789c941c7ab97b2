"""What the logs of Entra and of Microsoft 365 have in common: how they write keys, who is meant, and what their permissions are called.

The same log comes in camelCase (Graph), in PascalCase (Log Analytics, the Management Activity API) and in lower case, with objects in it as
they are or as JSON text. Keys are compared in lower case.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from licet.events import AccessLevel
from licet.ingest.fields import apart, clean, id_of
from licet.ingest.recognised import Place, Record, Unreadable

NOBODY: Final = frozenset({"", "none", "null", "not available", "unknown", "00000000-0000-0000-0000-000000000000"})
"""What stands where there is nothing (in lower case)."""

_BEGINS: Final = frozenset(letter for word in NOBODY for letter in (word[:1], word[:1].upper()))
_WIDEST: Final = 200  # keys of an object; the keys of one with more are not remembered

GRAPH: Final = "00000003-0000-0000-c000-000000000000"
_OWN_FORM = re.compile(r"0000000[0-9a-f]-0000-(?:0ff1-ce00|0000-c000)-000000000000")
_OWN: Final = frozenset({
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",  # Azure CLI
    "1950a258-227b-4e31-a9cf-717495945fc2",  # Azure PowerShell
    "14d82eec-204b-4c2f-b7e8-296a70dab67e",  # Graph command line tools
    "1b730954-1685-4b74-9bfd-dac224a7b894",  # Azure AD PowerShell
    "fb78d390-0c51-40cd-8e17-fdbfab77341b",  # Exchange PowerShell over REST
    "a0c73c16-a7e3-4564-9a95-2bdf47383716",  # Exchange PowerShell
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",  # Azure portal
    "d3590ed6-52b3-4102-aeff-aad2292ab01c",  # Office
    "4765445b-32c6-49b0-83e6-1d93765276ca",  # Office home
    "89bee1f7-5e6e-4d8a-9f3d-ecd601259da7",  # Office shell
    "5d661950-3475-41cd-a2c3-d671a3162bc1",  # Outlook
    "27922004-5251-4030-b22d-91ecd9a37ea4",  # Outlook on telephones
    "9199bf20-a13f-4107-85dc-02114787ef48",  # Outlook on the web
    "1fec8e78-bce4-4aaf-ab1b-5451cc387264",  # Teams
    "5e3ce6c0-2b1f-4285-8d4b-75ee78787346",  # Teams on the web
    "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe",  # Teams services
    "ab9b8c07-8f02-4f72-87fa-80105867a763",  # OneDrive
    "b26aadf8-566f-4478-926f-589f601d9c74",  # OneDrive on telephones
    "08e18876-6177-487e-b8b5-cf950c1e598c",  # SharePoint's web client
    "29d9ed98-a469-4536-ade2-f981bc1d605e",  # Authentication Broker
    "872cd9fa-d31f-45e0-9eab-6e460a02d1f1",  # Visual Studio
    "aebc6443-996d-45c2-90f0-388ff96faa56",  # Visual Studio Code
})  # fmt: skip

# Permissions of Microsoft Graph by id, delegated ones and roles of applications; https://learn.microsoft.com/graph/permissions-reference.
_PERMISSIONS: Final = {
    "e1fe6dd8-ba31-4d61-89e7-88639da4683d": "User.Read",
    "a154be20-db9c-4678-8ab7-66f6cc099a59": "User.Read.All",
    "df021288-bdef-4463-88db-98f22de89214": "User.Read.All",
    "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4": "User.ReadWrite.All",
    "741f803b-c850-494e-b5df-cde7c675a1ca": "User.ReadWrite.All",
    "5f8c59db-677d-491f-a6b8-5f174b11ec1d": "Group.Read.All",
    "5b567255-7703-4780-807c-7be8301ae99b": "Group.Read.All",
    "4e46008b-f24c-477d-8fff-7bb4ec7aafe0": "Group.ReadWrite.All",
    "62a82d76-70ea-41e2-9197-370581804d09": "Group.ReadWrite.All",
    "06da0dbc-49e2-44d2-8312-53f166ab848a": "Directory.Read.All",
    "7ab1d382-f21e-4acd-a863-ba3e13f7da61": "Directory.Read.All",
    "c5366453-9fb0-48a5-a156-24f0c49a4b84": "Directory.ReadWrite.All",
    "19dbc75e-c2e2-444c-a770-ec69d8559fc7": "Directory.ReadWrite.All",
    "0e263e50-5827-48a4-b97c-d940288653c7": "Directory.AccessAsUser.All",
    "570282fd-fa5c-430d-a7fd-fc8dc98a9dca": "Mail.Read",
    "810c84a8-4a9e-49e6-bf7d-12d183f40d01": "Mail.Read",
    "024d486e-b451-40bb-833d-3e66d98c5c73": "Mail.ReadWrite",
    "e2a3a72e-5f79-4c64-b1b1-878b674786c9": "Mail.ReadWrite",
    "e383f46e-2787-4529-855e-0e479a3ffac0": "Mail.Send",
    "b633e1c5-b582-4048-a93e-9f11b44c7e96": "Mail.Send",
    "10465720-29dd-4523-a11a-6a75c743c9d9": "Files.Read",
    "5c28f0bf-8a70-41f1-8ab2-9032436ddb65": "Files.ReadWrite",
    "df85f4d6-205c-4ac5-a5ea-6bf408dba283": "Files.Read.All",
    "01d4889c-1287-42c6-ac1f-5d1e02578ef6": "Files.Read.All",
    "863451e7-0667-486c-a5d6-d135439485f0": "Files.ReadWrite.All",
    "75359482-378d-4052-8f01-80520e7db3cd": "Files.ReadWrite.All",
    "332a536c-c7ef-4017-ab91-336970924f0d": "Sites.Read.All",
    "9492366f-7969-46a4-8d15-ed1a20078fff": "Sites.ReadWrite.All",
    "465a38f9-76ea-45b9-9f34-9e8b0d4b0b42": "Calendars.Read",
    "1ec239c2-d7c9-4623-a91a-a9775856bb36": "Calendars.ReadWrite",
    "ff74d97f-43af-4b68-9f2a-b77ee6968c5d": "Contacts.Read",
    "d56682ec-c09e-4743-aaf4-1a3aac4caa21": "Contacts.ReadWrite",
    "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30": "Application.Read.All",
    "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9": "Application.ReadWrite.All",
    "06b708a9-e830-4db3-a914-8e69da51d44f": "AppRoleAssignment.ReadWrite.All",
    "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8": "RoleManagement.ReadWrite.Directory",
    "b0afded3-3588-46d8-8b3d-9842eff778da": "AuditLog.Read.All",
    "7427e0e9-2fba-42fe-b0c0-848c9e6a8182": "offline_access",
    "37f7f235-527c-4136-accd-4a02d197296e": "openid",
    "14dad69e-099b-42c9-810b-d002981feec1": "profile",
    "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0": "email",
}

_ADMIN = re.compile(
    r"credential|password|certificate|secret|consent|permission|\brole|owner|policy|policies|federat|domain|delegat|oauth2|trust"
    r"|conditional access|authentication|strongauth|application|service principal|audit|sharing|anonymouslink|companylink|securelink"
    r"|elevat|inboundconnector|outboundconnector|transportrule|impersonat",
    re.IGNORECASE,
)
_READ = re.compile(
    r"(?:get|list|search|view|test|export report)\b|.*(?:accessed|viewed|previewed|downloaded|loggedin|logged in)$", re.IGNORECASE
)
_READ_SCOPE = re.compile(r"(?:openid|profile|email|offline_access|.*\.read(?:basic)?(?:\..*)?)", re.IGNORECASE)
_ADMIN_SCOPE = re.compile(
    r"(?:application|approleassignment|rolemanagement|directory|policy|domain|delegatedpermissiongrant|privilegedaccess)\b.*"
    r"(?:write|manage|accessasuser|full).*|full_access_as_app|exchange\.manageasapp|.*fullcontrol.*|user_impersonation",
    re.IGNORECASE,
)


def lowered(record: Record) -> dict[str, Any]:
    """The record by its keys in lower case."""
    if len(record) > _WIDEST:
        return {key.lower(): value for key, value in record.items()}
    return dict(zip(_lowered(tuple(record)), record.values(), strict=True))


@lru_cache(256)
def _lowered(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key.lower() for key in keys)


def unfolded(value: Any, key: str) -> Any:
    """The value, or what it says if it is JSON as text.

    Raises:
        Unreadable: it is a text, and no JSON.
    """
    if not isinstance(value, str):
        return value
    if not value:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Unreadable("is no JSON", key) from error


def folded(top: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object of the record by its keys in lower case, written as one or as JSON text; empty where it is absent.

    Raises:
        Unreadable: it is anything else.
    """
    found = unfolded(top.get(key), key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable("is no object", key)
    return lowered(found)


def objects(top: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list of the record by their keys in lower case, written as one or as JSON text; empty where it is absent.

    Raises:
        Unreadable: it is anything else.
    """
    found = unfolded(top.get(key), key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unreadable("is no list of objects", key)
    return [lowered(each) for each in found]


def said(top: Mapping[str, Any], *keys: str) -> str:
    """The first of these that says something, as text; empty where none does. A whole number counts as text.

    Raises:
        Unreadable: one is of another kind.
    """
    for key in keys:
        found = top.get(key)
        if found is None or found == "":
            continue
        if isinstance(found, str):
            if found[0] not in _BEGINS or found.lower() not in NOBODY:
                return found
        elif type(found) is int and abs(found) < 2**63:
            return str(found)
        else:
            raise Unreadable("is no text", key)
    return ""


def native_id(top: Mapping[str, Any], record: Record, place: Place, *keys: str) -> str:
    """The record's own id by these keys. One that has none gets one made of all that it says, so that its copies have the same.

    Raises:
        Unreadable: a key holds no text, or the record what JSON cannot say.
    """
    found = said(top, *keys)
    if found:
        return id_of(found, record, place)
    try:
        text = json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable("has no id, and cannot be told apart by what it says") from error
    return "sha256-" + hashlib.sha256(text.encode()).hexdigest()[:32]


def uid(name: str, place: Place) -> str:
    """How an identity of Entra is called here: by its object id, its application id, or a person by the name that he signs in with, as
    Microsoft 365 has no other. In lower case, as Microsoft compares them.
    """
    found = _uid(name) if len(name) <= 200 else f"entra:{clean(name)[:1_000].lower()}"
    raw = f"entra:{name.lower()}"
    return found if found == raw or not found else apart(raw, found, place.fingerprint)


@lru_cache(32_768)
def _uid(name: str) -> str:
    return "entra:" + clean(name).lower() if name.lower() not in NOBODY else ""


def of_microsoft(application: str) -> bool:
    """Whether an application is Microsoft's own client, with which a person works: what he does with it is his."""
    application = application.lower()
    return application in _OWN or _OWN_FORM.fullmatch(application) is not None


def permission(entitlement: str, resource: str = GRAPH) -> str:
    """`graph:Mail.ReadWrite` for a permission by its id or its name; `resource` is the application that it is a permission of."""
    name = clean(_PERMISSIONS.get(entitlement.lower(), entitlement))[:200]
    return f"{'graph' if resource.lower() == GRAPH else clean(resource)[:200].lower()}:{name}"


def scope_access(name: str) -> AccessLevel:
    """How far a permission of an application reaches, by its name; empty where that is an id that is not known here."""
    return _scope_access(name[:200])


@lru_cache(4_096)
def _scope_access(name: str) -> AccessLevel:
    name = name.rpartition(":")[2]
    if _ADMIN_SCOPE.fullmatch(name):
        return "admin"
    if _READ_SCOPE.fullmatch(name):
        return "read"
    return "write" if "." in name else ""


@lru_cache(4_096)
def access_of(operation: str) -> AccessLevel:
    """How far an operation of a directory or of Microsoft 365 reaches, by its name (without the service)."""
    if _READ.match(operation):
        return "read"
    return "admin" if _ADMIN.search(operation) else "write"
