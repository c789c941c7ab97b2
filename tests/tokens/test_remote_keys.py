"""Keys of others: fetched from one address, with restraint, and never from an address that a token names."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign import KeyServer, jwks, new_key, sign
from licet.errors import KeySetError, StateError, UsageError
from licet.testing import FakeClock
from licet.tokens.fetch import MAX_BYTES, key_set
from licet.tokens.jws import check_signature, parse
from licet.tokens.remote_keys import FileKeys, RemoteKeys

ONE, TWO = new_key(kid="one"), new_key(kid="two")


@pytest.fixture
def server() -> Iterator[KeyServer]:
    made = KeyServer(jwks(ONE))
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_key_is_found_and_verifies(server: KeyServer, clock: FakeClock) -> None:
    """One request, however many tokens."""
    keys = RemoteKeys(server.url, clock=clock)
    for _ in range(50):
        check_signature(parse(sign({}, ONE)), keys, ["ES256"])
    assert (server.asked, server.paths[0]) == (1, "/jwks.json")


@pytest.mark.parametrize(
    "said,held",
    [(None, 900), ("max-age=300", 300), ("public, max-age=1", 60), ("no-store", 60), ("no-cache, max-age=300", 60), ("max-age=99999999", 86_400), ("max-age=-5", 900), ("MAX-AGE = 120", 120), ("x" * 5_000, 900)],
)  # fmt: skip
def test_a_set_holds_as_long_as_it_says_within_bounds(server: KeyServer, clock: FakeClock, said: str | None, held: int) -> None:
    """RFC 9111 section 5.2.2.1, between a minute and a day."""
    if said is not None:
        server.headers = {"Cache-Control": said}
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    clock.advance(held - 1)
    assert keys.find("one", "ES256")
    assert server.asked == 1
    clock.advance(1)
    assert keys.find("one", "ES256")
    assert server.asked == 2


def test_a_new_key_is_found_before_the_set_is_old(server: KeyServer, clock: FakeClock) -> None:
    """A rotation needs no waiting."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    server.body = jwks(ONE, TWO)
    clock.advance(10)
    assert keys.find("two", "ES256")
    assert server.asked == 2


def test_a_key_that_was_taken_away_is_gone_when_the_set_is_old(server: KeyServer, clock: FakeClock) -> None:
    """And not before: that is what a cache costs."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    server.body = jwks(TWO)
    assert keys.find("one", "ES256")
    clock.advance(900)
    assert keys.find("one", "ES256") is None


def test_unknown_keys_make_few_requests(server: KeyServer, clock: FakeClock) -> None:
    """Whatever a thousand tokens name, one request in ten seconds."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    for number in range(1_000):
        assert keys.find(f"unknown-{number}", "ES256") is None
    assert server.asked == 1  # asked just before
    clock.advance(10)
    for number in range(1_000):
        assert keys.find(f"unknown-{number}", "ES256") is None
    assert server.asked == 2


def test_one_unknown_key_is_asked_for_once_a_minute(server: KeyServer, clock: FakeClock) -> None:
    """A client that is wrong tries again and again."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    for _ in range(6):
        clock.advance(10)
        assert keys.find("unknown", "ES256") is None
    assert server.asked == 2
    clock.advance(10)
    assert keys.find("unknown", "ES256") is None
    assert server.asked == 3


def test_unknown_keys_from_many_threads_share_the_limit(server: KeyServer, clock: FakeClock) -> None:
    """The limit is the object's, and not a thread's."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    clock.advance(10)
    start = threading.Barrier(16)
    found: list[object] = []

    def look(number: int) -> None:
        start.wait()
        found.append(keys.find(f"unknown-{number}", "ES256"))

    threads = [threading.Thread(target=look, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, server.asked) == ([None] * 16, 2)


def test_a_new_key_is_not_refused_while_another_thread_asks(server: KeyServer, clock: FakeClock) -> None:
    """Who looks for a key that the old set lacks waits for the new one, rather than fail."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    clock.advance(10)
    server.body, server.hold = jwks(ONE, TWO), threading.Event()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(keys.find("two", "ES256"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    server.hold.set()
    for thread in threads:
        thread.join()
    assert [key.kid for key in found] == ["two"] * 8
    assert server.asked == 2


def test_where_strangers_make_us_ask_one_waits_and_the_others_do_not(server: KeyServer, clock: FakeClock) -> None:
    """With `places`: a key that is not in the set is unknown at once, and without a set it is at once an error."""
    places = threading.Semaphore(1)
    keys, others = (RemoteKeys(server.url, clock=clock, places=places) for _ in range(2))
    keys.warm()
    assert server.asked == 1
    clock.advance(10)
    server.body, server.hold = jwks(ONE, TWO), threading.Event()
    waits = threading.Thread(target=keys.find, args=("two", "ES256"))
    waits.start()
    while server.asked < 2:
        pass
    assert keys.find("two", "ES256") is None
    assert keys.find("one", "ES256")
    with pytest.raises(KeySetError):  # the one place is taken
        others.find("one", "ES256")
    assert waits.is_alive()
    assert server.asked == 2
    server.hold.set()
    waits.join()
    assert keys.find("two", "ES256")  # who was refused meanwhile is not remembered as unknown
    assert others.find("one", "ES256")


def test_warming_asks_once_and_tells_nobody(server: KeyServer, clock: FakeClock) -> None:
    """What goes wrong is for whoever looks for a key."""
    keys = RemoteKeys(server.url, clock=clock)
    server.status = 500
    keys.warm()
    keys.warm()
    assert server.asked == 1
    clock.advance(10)
    server.status = 200
    keys.warm()
    keys.warm()
    assert keys.find("one", "ES256")
    assert server.asked == 2


def test_a_set_that_is_old_serves_while_another_thread_asks(server: KeyServer, clock: FakeClock) -> None:
    """One request at a time; the others do not wait for it."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    clock.advance(900)
    server.hold = threading.Event()
    first = threading.Thread(target=keys.find, args=("one", "ES256"))
    first.start()
    while server.asked < 2:
        pass
    assert keys.find("one", "ES256")
    assert first.is_alive()
    server.hold.set()
    first.join()
    assert server.asked == 2


def test_the_last_set_serves_for_a_while_when_the_far_side_is_down(
    server: KeyServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An hour, and the log says so; then nothing is found, and that is an error and no answer."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    server.status, server.body = 503, b"not now"
    clock.advance(900)
    with caplog.at_level(logging.WARNING, logger="licet"):
        assert keys.find("one", "ES256")
    assert "answered with status 503" in caplog.text
    assert "the last ones serve for 1 h more" in caplog.text
    clock.advance(3_599)
    assert keys.find("one", "ES256")
    clock.advance(1)
    with pytest.raises(KeySetError, match="cannot be fetched"):
        keys.find("one", "ES256")
    server.status, server.body = 200, jwks(ONE)
    clock.advance(10)
    assert keys.find("one", "ES256")


def test_a_far_side_that_is_down_is_asked_with_restraint(server: KeyServer, clock: FakeClock) -> None:
    """From the start, and after."""
    server.status = 500
    keys = RemoteKeys(server.url, clock=clock)
    for _ in range(100):
        with pytest.raises(KeySetError):
            keys.find("one", "ES256")
    assert server.asked == 1
    clock.advance(10)
    with pytest.raises(StateError):
        keys.find("one", "ES256")
    assert server.asked == 2


def test_a_key_that_came_while_the_far_side_was_down_is_found_after(server: KeyServer, clock: FakeClock) -> None:
    """What could not be looked up is not remembered as unknown."""
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("one", "ES256")
    server.status = 500
    clock.advance(10)
    assert keys.find("two", "ES256") is None
    server.status, server.body = 200, jwks(ONE, TWO)
    clock.advance(10)
    assert keys.find("two", "ES256")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server: KeyServer, clock: FakeClock, status: int) -> None:
    """Who can redirect names the keys."""
    other = KeyServer(jwks(ONE))
    server.status, server.headers = status, {"Location": other.url}
    with pytest.raises(KeySetError):
        RemoteKeys(server.url, clock=clock).find("one", "ES256")
    other.close()
    assert (server.asked, other.asked) == (1, 0)


def test_a_proxy_does_not_see_what_stays_on_this_machine(server: KeyServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain text is for the loopback alone."""
    proxy = KeyServer(jwks(TWO))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    assert RemoteKeys(server.url, clock=clock).find("one", "ES256")
    proxy.close()
    assert proxy.asked == 0


@pytest.mark.parametrize(
    "url", ["http://acme.example/jwks", "file:///etc/passwd", "ftp://127.0.0.1/", "https://a:b@acme.example/", "", "jwks.json"]
)
def test_keys_come_by_tls_or_from_this_machine(url: str) -> None:
    """It is the program's mistake, told at once."""
    with pytest.raises(UsageError, match="write an https address"):
        RemoteKeys(url)


WEAK = json.dumps({"keys": [{"kty": "RSA", "kid": "one", "n": "w" * 170 + "w", "e": "AQAB"}]}).encode()
DAMAGED = [
    b"", b"null", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [1, null, "a"]}', b'{"keys": "abc"}', b"\xff\xfe", b'{"keys": [{"kty": []}]}',
    b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}', b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
    b'{"keys": [], "keys": [' + json.dumps(ONE.as_dict(private=False)).encode() + b"]}",
    b'{"keys": [' + json.dumps(ONE.as_dict(private=True)).encode() + b"]}",
    b"[" * 100_000, b'{"keys":' * 30_000, b'{"keys": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", b'{"keys": [{"n": ' + b"9" * 200_000 + b"}]}",
    b'{"keys": [{"kty": "RSA", "e": "AQAB", "n": "' + b"_" * 200_000 + b'"}]}', b'{"keys": [' + b"{}," * 50_000 + b"{}]}",
    b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "\\ud800"}]}', b'{"keys": [{"kid": 1e999}]}', b'{"keys": [NaN]}', b"x" * (MAX_BYTES + 1), WEAK,
    '{"keys": [{"kty": "EC", "crv": "P-256", "x": "\u0661\u0662", "y": "\U0001f600"}]}'.encode(), "\ufeff{}".encode(), b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "", "y": ""}]}',
]  # fmt: skip


@pytest.mark.parametrize("body", DAMAGED, ids=range(len(DAMAGED)))
def test_what_is_no_key_set_is_refused(server: KeyServer, clock: FakeClock, body: bytes) -> None:
    """By an error that is ours; neither a crash, nor a key."""
    server.body = body
    with pytest.raises(KeySetError):
        RemoteKeys(server.url, clock=clock).find("one", "ES256")


def test_a_key_that_is_not_for_us_does_not_take_the_others_away(server: KeyServer, clock: FakeClock) -> None:
    """RFC 7517 section 5: an encryption key, a weak one and one of an unknown kind stand beside ours."""
    strangers = [
        {"kty": "oct", "k": "AA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        new_key("RS256", use="enc").as_dict(private=False),
    ]
    server.body = json.dumps({"keys": [*strangers, *json.loads(WEAK)["keys"], TWO.as_dict(private=False)]}).encode()
    keys = RemoteKeys(server.url, clock=clock)
    assert keys.find("two", "ES256")
    assert keys.find("one", "RS256") is None


def test_a_compressed_answer_is_refused(server: KeyServer, clock: FakeClock) -> None:
    """Nothing is unpacked, so that nothing can grow."""
    server.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(KeySetError):
        RemoteKeys(server.url, clock=clock).find("one", "ES256")


def test_a_server_that_never_ends_is_let_go_of(clock: FakeClock) -> None:
    """One byte now and then keeps a socket's own timeout from passing; and no second request is sent while the first hangs."""
    asked, done = [0], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            asked[0] += 1
            with connection:
                connection.sendall(b"HTTP/1.0 200 OK\r\nX-Slow: ")
                while not done.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        keys = RemoteKeys(f"http://127.0.0.1:{listening.getsockname()[1]}/", clock=clock, timeout=0.2)
        for _ in range(2):
            with pytest.raises(KeySetError):
                keys.find("one", "ES256")
            clock.advance(10)
        done.set()
        thread.join()
        listening.settimeout(0.1)
        with pytest.raises(TimeoutError):  # nobody else waits to be answered
            listening.accept()
    assert asked == [1]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """TLS without a known name at the other end is no TLS."""
    import ssl
    from datetime import UTC, datetime, timedelta
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "server.pem").write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=True) as far:
        far.socket = context.wrap_socket(far.socket, server_side=True)
        far.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        thread = threading.Thread(target=far.handle_request)
        thread.start()
        with pytest.raises(KeySetError):
            RemoteKeys(f"https://127.0.0.1:{far.server_address[1]}/", clock=clock).find("one", "ES256")
        thread.join()
    assert asked == []


def test_nobody_at_the_address_is_an_error(clock: FakeClock) -> None:
    """What the far side said is not repeated."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    with pytest.raises(KeySetError, match="cannot be fetched"):
        RemoteKeys(url, clock=clock).find("one", "ES256")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "keys", "a"]), inner, max_size=6
        ),
    ),
    max_leaves=12,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "kid", "use", "alg", "key_ops", "x5c"])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps({"keys": [value]}).encode("utf-8", "surrogatepass"))))
def test_any_answer_is_a_key_set_or_our_error(body: bytes) -> None:
    """Whatever stands there."""
    with contextlib.suppress(KeySetError):
        key_set(body)


@settings(max_examples=300, deadline=None)
@given(MEMBERS, JSON)
def test_any_member_of_a_key_is_taken_or_our_error(member: str, value: Any) -> None:
    """A key that is good but for one member."""
    with contextlib.suppress(KeySetError):
        key_set(json.dumps({"keys": [ONE.as_dict(private=False) | {member: value}]}).encode("utf-8", "surrogatepass")).find("one", "ES256")


# Files ------------------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    """By its content, so that no clock of a file system hides a change."""
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(ONE))
    keys, times = FileKeys(file), file.stat()
    assert keys.find("one", "ES256")
    file.write_bytes(jwks(new_key(kid="two")))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert keys.find("one", "ES256") is None
    assert keys.find("two", "ES256")


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * (MAX_BYTES + 1), WEAK], ids=range(4))
def test_a_file_that_is_damaged_is_refused_though_it_was_good(tmp_path: Path, body: bytes) -> None:
    """An earlier content does not serve: perhaps a key was taken out because it is lost."""
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(ONE))
    keys = FileKeys(file)
    assert keys.find("one", "ES256")
    file.write_bytes(body)
    with pytest.raises(KeySetError, match=r"jwks\.json"):
        keys.find("one", "ES256")


def test_a_file_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    """Whoever writes it is whoever he likes."""
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(ONE))
    file.chmod(0o666)
    with pytest.raises(KeySetError, match="chmod o-w"):
        FileKeys(file).find("one", "ES256")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe would wait for ever, a folder and a missing file have nothing."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "missing"):
        with pytest.raises(KeySetError):
            FileKeys(tmp_path / name).find("one", "ES256")
    with pytest.raises(UsageError):
        FileKeys("a\0b")


def test_the_keys_of_a_spiffe_bundle_are_those_that_sign_jwts() -> None:
    """SPIFFE Trust Domain and Bundle section 4.2.2: `use` is `jwt-svid`; those of certificates sign nothing here."""
    marked = [key.as_dict(private=False) | {"use": use} for key, use in ((new_key(kid="j"), "jwt-svid"), (new_key(kid="x"), "x509-svid"))]
    bundle = json.dumps({"keys": marked, "spiffe_sequence": 1, "spiffe_refresh_hint": 60}).encode()
    assert key_set(bundle, "jwt-svid").find("j", "ES256")
    assert key_set(bundle, "jwt-svid").find("x", "ES256") is None
    with pytest.raises(KeySetError):
        key_set(bundle)
