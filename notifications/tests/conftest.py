"""A real mail server in a thread, whose replies a test may script."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

from notifications import services
from notifications.tests.receiver import Receiver, listening


@dataclass
class MailServer:
    """The aiosmtpd handler; each list of replies is used up, then everything is accepted."""

    mails: list[EmailMessage] = field(default_factory=list)
    rcpt_replies: list[str] = field(default_factory=list)
    data_replies: list[str] = field(default_factory=list)
    #: Cut the connection so many times after the mail was taken and before the reply.
    deaths: int = 0
    #: The mail has arrived; and the reply may go out.
    arrived: Event = field(default_factory=Event)
    may_reply: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.may_reply.set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_replies:
            return self.rcpt_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_replies:
            return self.data_replies.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, EmailMessage, policy=policy.default))
        self.arrived.set()
        await asyncio.get_running_loop().run_in_executor(None, self.may_reply.wait, 20)
        if self.deaths:
            self.deaths -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def smtp(settings: Settings) -> Iterator[MailServer]:
    """Run a mail server and point the settings at it."""
    server = MailServer()
    controller = Controller(server, hostname="127.0.0.1", port=free_port())
    use_mail_server(settings, controller.port)
    controller.start()
    yield server
    server.may_reply.set()
    controller.stop()


def use_mail_server(settings: Settings, port: int, *, timeout: float = 5) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_TIMEOUT = timeout
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.DEFAULT_FROM_EMAIL = "Makegood <orders@shop.example>"
    settings.SHOP_NAME, settings.SHOP_SUPPORT_EMAIL = "Makegood", "help@shop.example"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One of the shop's own systems, which takes webhooks."""
    with listening() as running:
        yield running


@pytest.fixture
def saga_id() -> UUID:
    return uuid4()


ORDER: dict[str, Any] = {
    "number": "MG-7K2M9QXA",
    "name": "Ada Lovelace",
    "lines": [
        {"name": "Teapot, 1 l", "quantity": 2, "line_total": 5980},
        {"name": "Ben & Jo's tea <loose>", "quantity": 1, "line_total": 1250},
    ],
    "total": 7230,
    "currency": "EUR",
    "address": ["Ada Lovelace", "12 St James's Square", "SW1Y 4JH London", "GB"],
}

REGRET: dict[str, Any] = {
    "name": "Ada Lovelace",
    "reason": "out-of-stock",
    "refunded": 0,
    "currency": "EUR",
}


def confirm(saga_id: UUID, **changes: Any) -> dict[str, Any]:
    """Send the confirmation of ``saga_id``; ``changes`` to the call win over the defaults."""
    call = {"order_id": "order-1", "recipient": "ada@example.com", "context": ORDER, **changes}
    return dict(services.send_confirmation(saga_id=saga_id, **call))


def apologise(saga_id: UUID, **changes: Any) -> dict[str, Any]:
    return dict(
        services.send_apology(
            saga_id=saga_id, recipient="ada@example.com", context={**REGRET, **changes}
        )
    )
