"""What notifications tells the other domains, in the transaction of the change."""

from notifications.models import Message, Notice, OutboxEvent
from sagas.events.facts import Fact
from sagas.events.outbox import tell


def tell_of_mail(message: Message) -> None:
    """Tell that a mail server took a mail over."""
    tell(
        OutboxEvent,
        Fact(
            type="mail_sent",
            aggregate=f"message:{message.pk}",
            saga_id=message.saga_id,
            payload={"notification_id": str(message.pk), "kind": str(message.kind)},
        ),
    )


def tell_of_notice(notice: Notice) -> None:
    """Tell that a mail server took over a mail about a product; no saga sent it."""
    tell(
        OutboxEvent,
        Fact(
            type="mail_sent",
            aggregate=f"notice:{notice.pk}",
            payload={
                "notification_id": str(notice.pk),
                "kind": str(notice.topic),
                "sku": notice.sku,
            },
        ),
    )
