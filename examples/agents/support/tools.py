"""The agents' tools: plain LangChain tools that know nothing of any guard."""

from __future__ import annotations

import smtplib
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from langchain_core.tools import BaseTool, tool
from places import ARTICLES, Crm, Mail, Web

import licet


def make_tools(crm: Crm, mail: Mail, research: Callable[[str], str]) -> list[BaseTool]:
    """The support agent's."""

    @tool
    def read_ticket(number: int) -> dict[str, Any]:
        """Read a ticket: its sender, subject and text."""
        found = crm.rows("SELECT * FROM tickets WHERE number = ?", (number,))
        return found[0] if found else {"error": "no such ticket"}

    @tool
    def find_customers(text: str) -> list[dict[str, Any]]:
        """Find customers, with address and orders, by a part of the name or address. An empty text finds all."""
        return crm.rows("SELECT * FROM customers WHERE name LIKE ? OR address LIKE ?", (f"%{text}%", f"%{text}%"))

    @tool
    def ask_research(question: str) -> str:
        """Ask the research assistant what the help centre says to a customer's question."""
        return research(question)

    @tool
    def send_email(to: str, subject: str, body: str) -> str:
        """Send an e-mail as support@acme.example."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "support@acme.example", to, subject
        message.set_content(body)
        with smtplib.SMTP("127.0.0.1", mail.port, timeout=10) as server:
            server.send_message(message)
        return f"sent to {to}"

    return [read_ticket, find_customers, ask_research, send_email]


def make_research_tools(web: Web) -> list[BaseTool]:
    """The research agent's: it can read, and nothing else."""

    @tool
    def read_help(article: str) -> str:
        """Read an article of the help centre: late-parcels, returns."""
        if article not in ARTICLES:
            return "No such article."
        # A tool may send its call's token on, so that the other side can check that this very call was allowed.
        call = licet.current_call()
        request = urllib.request.Request(f"{web.url}/articles/{article}", headers=dict(call.headers) if call else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    return [read_help]
