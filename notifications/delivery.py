"""One conversation with the mail server, and what its replies mean."""

import smtplib
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email
from django.utils.encoding import punycode

from notifications.models import Message

log = structlog.get_logger(__name__)


class MailUnavailable(Exception):
    """The mail server could not be reached, or cannot take mail now; it may later. Transient."""

    code = "mail-unavailable"


class MailRefused(Exception):
    """The mail server's definite no to this mail or its recipient; a refusal."""

    code = "mail-refused"


def is_address(recipient: str) -> bool:
    """Tell whether ``recipient`` is one plain address that mail can be sent to."""
    try:
        validate_email(recipient)
        punycode(recipient.rpartition("@")[2])
    except (ValidationError, UnicodeError):
        return False
    return True


def check_recipient(recipient: str) -> None:
    """Raise ``MailRefused`` unless mail can be sent to ``recipient``; does not quote it."""
    if not is_address(recipient):
        raise MailRefused("the recipient is not an address")


def sender_domain() -> str:
    """Return the domain of DEFAULT_FROM_EMAIL, where Message-IDs are unique."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it goes out; ``unsubscribe_url`` is empty where there is nothing to leave."""

    recipient: str
    subject: str
    text: str
    html: str
    message_id: str
    unsubscribe_url: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Its headers beside the usual ones. Source of the last two: RFC 8058."""
        headers = {"Message-ID": self.message_id, "Auto-Submitted": "auto-generated"}
        if self.unsubscribe_url:
            headers["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


def deliver(message: Message) -> None:
    """Hand ``message`` to the mail server; see ``send``."""
    send(
        Mail(
            recipient=message.recipient,
            subject=message.subject,
            text=message.text_body,
            html=message.html_body,
            message_id=message.message_id,
        )
    )


def send(mail: Mail) -> None:
    """Hand ``mail`` to the mail server; to be called outside any transaction.

    Every wait of the conversation ends after settings.EMAIL_TIMEOUT seconds. When it ends
    between the mail and the server's reply, nobody knows whether the server has it: it is
    sent again with the same Message-ID, by which mail systems recognise a double.

    Raises:
        MailUnavailable: no connection, a time-out, a lost connection, a 4xx reply, or a
            reply that blames our own settings (log-in, sender).
        MailRefused: a 5xx reply to the recipient or to the mail itself.
    """
    connection = get_connection()
    envelope = EmailMultiAlternatives(
        connection=connection,
        subject=mail.subject,
        body=mail.text,
        to=[mail.recipient],
        reply_to=[settings.SHOP_SUPPORT_EMAIL],
        headers=mail.headers,
    )
    envelope.attach_alternative(mail.html, "text/html")
    try:
        connection.open()
        envelope.send()
    except (smtplib.SMTPException, OSError) as error:
        with suppress(smtplib.SMTPException, OSError):
            connection.close()  # the conversation is lost already; its own error is raised
        raise _meaning_of(error) from None  # the original's text quotes the address
    try:
        connection.close()
    except (smtplib.SMTPException, OSError) as error:
        # The server took the mail over; a failed good-bye must not send it twice.
        log.warning("mail_server_left_without_goodbye", error=type(error).__name__)


def _meaning_of(error: smtplib.SMTPException | OSError) -> MailUnavailable | MailRefused:
    name, reply = type(error).__name__, _reply_code(error)
    words = f"{name} {reply}" if reply > 0 else name
    about_the_mail = isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError)
    if about_the_mail and 500 <= reply < 600:  # noqa: PLR2004  (RFC 5321, 4.2.1)
        return MailRefused(words)
    return MailUnavailable(words)


def _reply_code(error: smtplib.SMTPException | OSError) -> int:
    """Return the SMTP reply code, or 0 when the server said nothing."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((code for code, _ in error.recipients.values()), default=0)
    if isinstance(error, smtplib.SMTPResponseException):
        return int(error.smtp_code)
    return 0
