"""`licet serve`: the token authority as a service."""

from __future__ import annotations

import argparse
import sys

from licet.cli import output
from licet.cli.state import add_state
from licet.errors import UsageError
from licet.guard import Guard
from licet.manifest import load

EXAMPLE = """\
Agents elsewhere get their tasks and their calls' tokens here: docs/authority.md has the requests. The manifest's `authority:` names the
service and the clients that may ask. Other machines are answered over TLS only. The log, without any token, goes to standard error.

Exit codes: 0 stopped by SIGINT or SIGTERM, 2 it may not be served so, or cannot.

example: licet serve licet.yaml
         licet serve licet.yaml --host 0.0.0.0 --port 8443 --tls-cert cert.pem --tls-key key.pem
         licet serve licet.yaml --host 0.0.0.0 --behind-tls-proxy 10.0.0.5
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="the manifest")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8470, help="the port; 0: any that is free (default: %(default)s)")
    parser.add_argument("--tls-cert", metavar="FILE", help="speak TLS with this certificate (PEM, with its chain)")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's private key (PEM, not encrypted)")
    parser.add_argument(
        "--behind-tls-proxy", metavar="ADDRESSES", help="a proxy at these addresses speaks TLS, and its X-Forwarded-For is believed"
    )
    parser.add_argument("--json", action="store_true", help="say where it listens as one JSON object")
    add_state(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    from licet.server.run import Listening, check, log_to_stderr, serve  # only this command needs them

    manifest = load(options.file)
    if manifest.authority is None:
        raise UsageError(f"{options.file} has no `authority:`, so that nobody could ask for a token; see docs/authority.md")
    at = Listening(options.host, options.port, options.tls_cert, options.tls_key, options.behind_tls_proxy)
    issuer = manifest.authority.issuer
    check(at, issuer)  # before any state is made

    def ready(url: str) -> None:
        if options.json:
            output.data({"listening": url, "issuer": issuer})
        else:
            output.say("listening on ", url, ", as ", issuer)
        sys.stdout.flush()

    with log_to_stderr(), Guard(manifest, state=options.state) as guard:
        serve(guard, at, ready)
    return 0
