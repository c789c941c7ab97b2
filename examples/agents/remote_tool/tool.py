"""The tool's side: a service in a process of its own, which takes no call without a token for exactly that call.

agent.py starts it. It knows the guard's public keys (a file) and the store in which used tokens and ended tasks stand; no secret.
"""

from __future__ import annotations

import argparse
import logging
import socket

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from licet import Verifier
from licet.integrations.asgi import CallTokens
from licet.store import SqliteStore
from licet.tokens.remote_keys import FileKeys

service = FastAPI()


class Refund(BaseModel):
    number: int
    euros: int


class Note(BaseModel):
    number: int
    text: str


@service.post("/pay_back")
def pay_back(refund: Refund, request: Request) -> str:
    call = request.state.licet_call  # who acts, for whom, in which task: verified
    return f"paid {refund.euros} euros back for order {refund.number}: {call.agent} for {call.principal}"


@service.post("/send_note")
def send_note(note: Note) -> str:
    return f"told the customer of order {note.number}: {note.text}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    for name in ("--issuer", "--jwks", "--store", "--log"):
        options.add_argument(name, required=True)
    given = options.parse_args()
    logging.basicConfig(filename=given.log, filemode="w", format="%(message)s", level=logging.WARNING)

    listening = socket.create_server(("127.0.0.1", 0))  # a free port
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    verifier = Verifier(
        FileKeys(given.jwks),  # read anew when it changes, as with every rotation
        issuer=given.issuer,
        audience="https://billing.acme.example",
        state=SqliteStore(given.store),
    )
    app = CallTokens(service, verifier, base_url=url, call={"POST /pay_back": "pay_back", "POST /send_note": "send_note"})
    print(url, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off")).run([listening])


if __name__ == "__main__":
    main()
