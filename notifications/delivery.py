"""One conversation with the mail server, and what its replies mean."""

import smtplib
from contextlib import suppress
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


def check_recipient(recipient: str) -> None:
    """Raise ``MailRefused`` unless ``recipient`` is one plain address that mail can be sent to."""
    try:
        validate_email(recipient)
        punycode(recipient.rpartition("@")[2])
    except (ValidationError, UnicodeError):
        # Without its cause, which quotes the address.
        raise MailRefused("the recipient is not an address") from None


def sender_domain() -> str:
    """Return the domain of DEFAULT_FROM_EMAIL, where Message-IDs are unique."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def deliver(message: Message) -> None:
    """Hand ``message`` to the mail server; to be called outside any transaction.

    Every wait of the conversation ends after settings.EMAIL_TIMEOUT seconds. When it ends
    between the mail and the server's reply, nobody knows whether the server has it: it is
    sent again with the same Message-ID, by which mail systems recognise a double.

    Raises:
        MailUnavailable: no connection, a time-out, a lost connection, a 4xx reply, or a
            reply that blames our own settings (log-in, sender).
        MailRefused: a 5xx reply to the recipient or to the mail itself.
    """
    connection = get_connection()
    mail = EmailMultiAlternatives(
        connection=connection,
        subject=message.subject,
        body=message.text_body,
        to=[message.recipient],
        reply_to=[settings.SHOP_SUPPORT_EMAIL],
        headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(message.html_body, "text/html")
    try:
        connection.open()
        mail.send()
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
