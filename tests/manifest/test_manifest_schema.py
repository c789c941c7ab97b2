"""The shipped JSON Schema says what the models say."""

from __future__ import annotations

import jsonschema_rs
import pytest

from licet.errors import ManifestError
from licet.manifest import Manifest, loads
from licet.manifest.schema import SHIPPED, build, main, text
from licet.manifest.yaml_reader import read
from manifests import NOW, VALID, changed

# What is changed in the valid manifest, and whether a schema and the models, each alone, take it.
CASES = [
    ("licet: 1", "licet: 1", True),
    ("licet: 1", "licet: 2", False),
    ("licet: 1", "licet: true", False),
    ("environment: prod\n", "", False),
    ("environment: prod", "environment: 'my env'", False),
    ("environment: prod", "environment: ''", False),
    ("environment: prod\n", "environment: prod\nunknown: 1\n", False),
    ("environment: prod\n", "environment: prod\nflows: []\n", True),
    ("environment: prod\n", "environment: prod\nedges: [a -> b]\n", True),
    ("environment: prod\n", "environment: prod\nedges: [a to b]\n", False),
    ("environment: prod\n", "environment: prod\nchecks: {scope.tool: {}}\n", True),
    ("environment: prod\n", "environment: prod\nchecks: {scope.tool: {mode: observe}}\n", False),
    ("environment: prod\n", "environment: prod\nchecks: {scope.tool: {mode: observe, until: 2026-12-01, reason: trial}}\n", True),
    ("environment: prod\n", "environment: prod\nmode: enforce\nuntil: 2026-12-01\n", False),
    ("environment: prod\n", "environment: prod\nmode: observe\nuntil: 2026-12-01\nreason: trial\n", True),
    ("environment: prod\n", "environment: prod\nmode: observe\nuntil:\nreason: trial\n", False),
    ("environment: prod\n", "environment: prod\nmode: off\n", False),
    ("name: Support", "name: ''", False),
    ("name: Support", "name: '  '", False),
    (", contact: support@acme.example", "", False),
    ("  bot: {", "  'my bot': {", False),
    ("owner: support, tasks: [answer]", "owner: , tasks: [answer]", False),
    ("tasks: [answer]", "tasks: answer", False),
    ("tasks: [answer]", "tasks: [1]", False),
    ("expires: 2027-01-31", "expires: 31.01.2027", False),
    ("expires: 2027-01-31", "expires: 2027-02-30", False),
    ("expires: 2027-01-31", "expires: 2027-01-31, rotate_every: 90d", True),
    ("expires: 2027-01-31", "expires: 2027-01-31, rotate_every: 90 days", False),
    ("expires: 2027-01-31", "expires: 2027-01-31, rotate_every: 0d", False),
    ("access: read,", "access: reed,", False),
    ("access: read,", "access: read, token: call,", True),
    ("access: read,", "access: read, token: task,", True),
    ("access: read,", "access: read, token: none,", False),
    ("access: read,", "access: read, audience: 'urn:crm', envelope: at+jwt,", True),
    ("access: read,", "access: read, audience: 'urn:crm', envelope: jwt,", False),
    ("access: read,", "access: read, durable: write,", True),
    ("access: read,", "access: read, audience: 'https://crm.acme.example',", True),
    ("access: read,", "access: read, audience: crm,", False),
    ("egress: false", "egress: no", False),
    ("egress: false", "egress: 0", False),
    ("to: {type: string}", "to: {type: [string, array]}", True),
    ("to: {type: string}", "to: {type: []}", False),
    ("to: {type: string}", "to: {type: text}", False),
    ("to: {type: string}", "to: {enum: []}", False),
    ("to: {type: string}", "to: {enum: [a, 1, null, [b], {c: d}]}", True),
    ("to: {type: string}", "to: {const: null}", True),
    ("to: {type: string}", "to: {format: phone}", False),
    ("to: {type: string}", "to: {multipleOf: 0}", False),
    ("to: {type: string}", "to: {items: {maxLength: 3}, maxItems: 2}", True),
    ("to: {type: string}", "to: {items: {maxLen: 3}}", False),
    ("to: {type: string}", "to: {properties: {a: {type: string, required: true}}, additionalProperties: false}", True),
    ("to: {type: string}", "to: {origin: [intent]}", True),
    ("to: {type: string}", "to:", False),
    ("maxLength: 500", "maxLength: -1", False),
    ("intent: Answer a ticket", "intent: 7", False),
    ("ttl: 10m", "ttl: 600", False),
    ("read_ticket: {}\n", "read_ticket:\n", True),
    ("send_email: {at_most: 1}", "send_email: {at_most: 0}", False),
    ("send_email: {at_most: 1}", "send_email: {at_most: 1, ask: true}", True),
    ("send_email: {at_most: 1}", "send_email: {ask: 'true'}", False),
    ("send_email: {at_most: 1}", "send_email: []", False),
    ("of: send_email", "of: [send_email, read_ticket]", True),
    ("of: send_email", "of: {send_email: 1}", False),
    ("of: send_email, at_most: 3", "of: send_email, at_most: 2.5", True),
    ("of: send_email, at_most: 3", "of: send_email, at_most: '3'", False),
    ("of: send_email, at_most: 3", "of: send_email, at_most: true", False),
    ("of: send_email, at_most: 3", "of: send_email, at_most: -1", False),
    ("of: send_email, at_most: 3", "of: send_email", False),
    ("distinct: to, of: send_email, at_most: 3", "rate: 5, per: 1m, of: send_email", True),
    ("distinct: to, of: send_email, at_most: 3", "rate: 5, of: send_email", False),
    ("distinct: to, of: send_email, at_most: 3", "rate: 5, per: 1m, of: send_email, at_most: 3", False),
    ("distinct: to, of", "distinct: to, sum: amount, of", False),
    ("chain: [start -> read_ticket, read_ticket -> send_email]", "chain:", False),
    ("chain: [start -> read_ticket, ", "chain: [start, ", False),
]

LOGIN = (
    "kind: oidc, issuer: 'https://login.acme.example', audiences: [desk], jwks_uri: 'https://login.acme.example/jwks', proves: principal"
)
MESH = "kind: jwt-svid, trust_domain: acme.example, audiences: [licet], jwks_file: bundle.json, proves: [agent]"
CASES += [
    ("licet: 1\n", f"licet: 1\nissuers: {{{name}: {{{issuer}}}}}\n", good)
    for name, issuer, good in [
        ("login", LOGIN, True),
        ("'a:b'", LOGIN, False),
        ("login", LOGIN.replace("kind: oidc", "kind: saml"), False),
        ("login", LOGIN.replace("issuer: 'https://login.acme.example', ", ""), False),
        ("login", LOGIN.replace("[desk]", "[]"), False),
        ("login", LOGIN.replace("[desk]", "desk"), False),
        ("login", LOGIN.replace("jwks_uri", "jwks_url"), False),
        ("login", LOGIN.replace("'https://login.acme.example/jwks'", "'file:///etc/jwks'"), False),
        ("login", f"{LOGIN}, jwks_file: jwks.json", False),
        ("login", LOGIN.replace(", jwks_uri: 'https://login.acme.example/jwks'", ""), False),
        ("login", LOGIN.replace("proves: principal", "proves: [principal, agent]"), True),
        ("login", LOGIN.replace("proves: principal", "proves: admin"), False),
        ("login", LOGIN.replace("proves: principal", "proves: []"), False),
        ("login", LOGIN.replace(", proves: principal", ""), False),
        ("login", f"{LOGIN}, typ: [JWT, at+jwt], max_age: 8h, algorithms: [ES256]", True),
        ("login", f"{LOGIN}, typ: [licet-call+jwt]", False),
        ("login", f"{LOGIN}, algorithms: [HS256]", False),
        ("login", f"{LOGIN}, algorithms: []", False),
        ("login", f"{LOGIN}, max_age: 0s", False),
        ("login", f"{LOGIN}, trust_domain: acme.example", False),
        ("mesh", MESH, True),
        ("mesh", f"{MESH}, issuer: 'https://spire.acme.example'", True),
        ("mesh", MESH.replace("trust_domain: acme.example, ", ""), False),
        ("mesh", MESH.replace("trust_domain: acme.example", "trust_domain: 'spiffe://acme.example'"), False),
        ("mesh", f"{MESH}, algorithms: [EdDSA]", False),
        ("mesh", f"{MESH}, typ: [JWT]", False),
        ("cluster", LOGIN.replace("kind: oidc", "kind: kubernetes"), True),
        ("cluster", f"{LOGIN.replace('kind: oidc', 'kind: kubernetes')}, typ: [JWT]", False),
    ]
]
CASES += [
    ("tasks: [answer]", "tasks: [answer], proved_by: {}", True),
    ("tasks: [answer]", "tasks: [answer], proved_by: {cluster: ' '}", False),
    ("tasks: [answer]", "tasks: [answer], proved_by: [cluster]", False),
]


def test_the_shipped_schema_is_the_generated_one() -> None:
    """Run `python -m licet.manifest.schema --write` after changing a model."""
    assert SHIPPED.read_text(encoding="utf-8") == text()
    assert main(["--check"]) == 0


@pytest.mark.parametrize("old,new,good", CASES)
def test_schema_and_models_agree(old: str, new: str, good: bool) -> None:
    """What an editor accepts, the models accept; what it refuses, the loader refuses."""
    data = read(changed(old, new)).data
    schema = jsonschema_rs.Draft202012Validator(build(), validate_formats=True)
    assert schema.is_valid(data) is good
    if good:
        Manifest.model_validate(data)
    else:
        # The models alone take null for absent; the loader does not.
        with pytest.raises(ManifestError):
            loads(changed(old, new), now=NOW)


def test_the_schema_is_closed_everywhere() -> None:
    """A typo is an error in the editor too."""
    schema = build()
    for name, part in {"": schema, **schema["$defs"]}.items():
        assert name == "JsonValue" or part["additionalProperties"] is False
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(read(VALID).data)
