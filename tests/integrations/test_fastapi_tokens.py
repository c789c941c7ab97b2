"""A FastAPI route runs only with a token for exactly that call. (FastAPI reads annotations of local names only where they are not texts.)"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import fastapi
import httpx
import pytest
from pydantic import BaseModel

from licet import CallClaims, UsageError
from licet.integrations.fastapi import call_token
from tool_side import ORDER, World, listen, raw, serving, url_of

BODY = json.dumps(ORDER).encode()


class Order(BaseModel):
    number: int
    euros: int
    note: str


class Service:
    """A service of three routes, served, and what ran in it."""

    def __init__(self, world: World) -> None:
        self.world, self.sock, self.ran = world, listen(), []
        self.base, self.ran = url_of(self.sock), []
        self.app = fastapi.FastAPI()
        verifier = world.verifier()
        pay_back = call_token(verifier, tool="pay_back", base_url=self.base, max_body=1_000)
        take_back = call_token(verifier, tool="take_back", base_url=self.base, max_body=1_000)
        find = call_token(
            verifier, tool="find_order", base_url=self.base, arguments=lambda request: {"number": request.path_params.integer("number")}
        )
        classic = call_token(world.verifier(typ="at+jwt"), tool="classic", base_url=self.base)

        @self.app.post("/pay_back")
        def pay(order: Order, call: Annotated[CallClaims, fastapi.Depends(pay_back)]) -> str:
            self.ran.append((order, call))
            return f"paid for {call.agent}"

        @self.app.post("/take_back")
        async def take(request: fastapi.Request, call: Annotated[CallClaims, fastapi.Security(take_back)]) -> Any:
            self.ran.append((await request.json(), request.state.licet_call))
            return "taken"

        @self.app.get("/orders/{number}")
        def order(number: int, call: Annotated[CallClaims, fastapi.Depends(find)], more: str = "") -> int:
            self.ran.append((number, call))
            return number

        @self.app.post("/classic", dependencies=[fastapi.Depends(classic)])
        def old(a: Annotated[int, fastapi.Body(embed=True)]) -> int:
            self.ran.append((a, None))
            return a

    def post(self, path: str, headers: dict[str, str], body: bytes = BODY) -> httpx.Response:
        return httpx.post(self.base + path, headers={"Content-Type": "application/json", **headers}, content=body, timeout=20)


@pytest.fixture
def service(world: World) -> Iterator[Service]:
    made = Service(world)
    with serving(made.app, made.sock):
        yield made


def refused(answer: httpx.Response) -> bool:
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid_token"})
    assert answer.headers["www-authenticate"] == 'DPoP error="invalid_token"'
    return True


def test_a_route_gets_the_claims_of_its_call_and_its_body(service: Service) -> None:
    answer = service.post("/pay_back", service.world.headers(f"{service.base}/pay_back"))
    assert (answer.status_code, answer.json()) == (200, "paid for bot")
    ((order, call),) = service.ran
    assert order.model_dump() == ORDER
    assert (call.tool, call.principal) == ("pay_back", "user:grace")


def test_a_route_that_reads_its_body_itself_still_can(service: Service) -> None:
    answer = service.post("/take_back", service.world.headers(f"{service.base}/take_back", "take_back"))
    assert answer.status_code == 200
    ((body, call),) = service.ran
    assert body == ORDER
    assert call.tool == "take_back"


def test_arguments_of_the_path_are_judged_and_what_is_beside_them_is_refused(service: Service) -> None:
    url = f"{service.base}/orders/7"

    def headers() -> dict[str, str]:
        return service.world.headers(url, "find_order", {"number": 7}, "GET")

    assert httpx.get(url, headers=headers()).json() == 7
    assert refused(httpx.get(url, params={"more": "x"}, headers=headers()))
    assert refused(httpx.get(f"{service.base}/orders/8", headers=headers()))
    for odd in ("x", "07", "0_7", "%207", "7%0A", "%DB%B7"):
        other = f"{service.base}/orders/{odd}"
        assert refused(httpx.get(other, headers=service.world.headers(other, "find_order", {"number": 7}, "GET")))
    assert len(service.ran) == 1


def test_a_parameter_of_the_path_or_a_header_is_an_argument_or_nobody_judged_it(world: World) -> None:
    app, sock, ran = fastapi.FastAPI(), listen(), []
    base, verifier = url_of(sock), world.verifier()
    plain = call_token(verifier, tool="pay_back", base_url=base)
    whole = call_token(
        verifier,
        tool="pay_back",
        base_url=base,
        arguments=lambda request: {**request.json(), "number": request.path_params.integer("number"), "note": request.header("account")},
    )

    @app.post("/plain/{number}/pay_back", dependencies=[fastapi.Depends(plain)])
    def careless(number: str) -> None:
        ran.append(number)

    @app.post("/whole/{number}/pay_back", dependencies=[fastapi.Depends(whole)])
    def careful(number: str, account: Annotated[str, fastapi.Header()]) -> None:
        ran.append((number, account))

    with serving(app, sock):
        url = f"{base}/plain/3/pay_back"
        assert refused(httpx.post(url, json=ORDER, headers=world.headers(url)))
        url = f"{base}/whole/3/pay_back"
        headers = world.headers(url, arguments={"number": 3, "euros": 10, "note": "GB29"})
        assert refused(httpx.post(url, json={"euros": 10}, headers=headers | {"account": "GB30"}))
        assert httpx.post(url, json={"euros": 10}, headers=headers | {"account": "GB29"}).status_code == 200
    assert ran == [("3", "GB29")]


def test_the_access_token_envelope_comes_in_authorization(service: Service) -> None:
    headers = service.world.headers(f"{service.base}/classic", "classic", {"a": 1})
    assert service.post("/classic", headers, b'{"a":1}').json() == 1
    assert refused(service.post("/classic", service.world.headers(f"{service.base}/classic"), BODY))


def test_every_attack_on_the_route_is_refused_with_one_answer(service: Service) -> None:
    mint, url = service.world.headers, f"{service.base}/pay_back"
    assert refused(service.post("/pay_back", {}))
    used = mint(url)
    assert service.post("/pay_back", used).status_code == 200
    assert refused(service.post("/pay_back", used))
    assert refused(service.post("/pay_back", mint(url), json.dumps(ORDER | {"euros": 999}).encode()))
    assert refused(service.post("/pay_back", mint(url, "take_back")))
    assert refused(service.post("/pay_back", mint("http://elsewhere.example/pay_back") | {"Host": "elsewhere.example"}))
    assert refused(service.post("/pay_back", mint(url), b'{"number":1,"number":3,"euros":10,"note":"sp\\u00e4\\u0165"}'))
    assert refused(service.post("/pay_back", mint(url) | {"X-HTTP-Method-Override": "PUT"}))
    long = ORDER | {"note": "x" * 2_000}
    assert refused(service.post("/pay_back", mint(url, arguments=long), json.dumps(long).encode()))
    assert len(service.ran) == 1


def test_the_token_is_asked_for_before_the_body_is_looked_at_more_closely(service: Service) -> None:
    assert refused(service.post("/pay_back", {}, b'{"number":"not one"}'))


def test_a_body_of_unknown_length_is_refused(service: Service) -> None:
    for path, tool in (("/pay_back", "pay_back"), ("/take_back", "take_back")):
        headers = service.world.headers(service.base + path, tool) | {"Content-Type": "application/json", "Connection": "close"}
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        assert raw(service.base, head.encode() + b"\r\n" + f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n").startswith(
            b"HTTP/1.1 401 "
        )
    assert service.ran == []


async def test_the_openapi_document_names_the_header(world: World) -> None:
    document = Service(world).app.openapi()
    for path in ("/pay_back", "/take_back"):
        assert document["paths"][path]["post"]["security"] == [{"LicetCallToken": []}]
        assert "DPoP" not in document["paths"][path]["post"].get("parameters", [])
    schemes = document["components"]["securitySchemes"]
    assert schemes["LicetCallToken"]["name"] == "Licet-Call-Token"
    assert schemes["LicetCallToken"]["in"] == "header"
    assert schemes["LicetAccessToken"]["scheme"] == "DPoP"
    assert document["paths"]["/classic"]["post"]["security"] == [{"LicetAccessToken": []}]


def test_a_store_that_fails_refuses(world: World) -> None:
    class Broken:
        def spend(self, *_: Any) -> bool:
            raise RuntimeError("eyJ-SECRET")

    app, sock, ran = fastapi.FastAPI(), listen(), []
    token = call_token(world.verifier(state=Broken()), tool="pay_back", base_url=url_of(sock))

    @app.post("/pay_back", dependencies=[fastapi.Depends(token)])
    def pay(order: Order) -> None:
        ran.append(order)

    with serving(app, sock) as base:
        answer = httpx.post(f"{base}/pay_back", json=ORDER, headers=world.headers(f"{base}/pay_back"))
    assert (answer.status_code, answer.json()) == (503, {"detail": "temporarily_unavailable"})
    assert ran == []


@pytest.mark.parametrize("options", [{"tool": ""}, {"max_body": 0}, {"base_url": "x"}], ids=str)
def test_what_cannot_be_meant_is_said_at_once(world: World, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        call_token(world.verifier(), **{"tool": "pay_back", "base_url": "https://a.example", **options})


@pytest.mark.parametrize("name", ["fastapi", "httpx", "requests"])
def test_what_is_missing_is_said_with_the_command_that_brings_it(name: str) -> None:
    program = f"import sys; sys.modules['{name}'] = None\nimport licet.integrations.{name}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.rstrip().endswith(f"pip install 'licet[{name}]'")


def test_the_middleware_needs_no_web_framework() -> None:
    program = "import licet.integrations.asgi, sys; print([n for n in ('starlette', 'fastapi', 'httpx', 'requests', 'anyio') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
