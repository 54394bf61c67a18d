"""Staff read the mails in the admin and change nothing there."""

from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from notifications.models import DATABASE, Message
from notifications.tests.conftest import MailServer, confirm

pytestmark = pytest.mark.django_db(databases=["default", "notifications"], transaction=True)


def test_staff_may_read_mails_and_neither_add_nor_change_nor_delete_them(
    client: Client, smtp: MailServer, saga_id: UUID
) -> None:
    client.force_login(User.objects.db_manager("default").create_superuser("staff"))
    confirm(saga_id)
    mail = Message.objects.using(DATABASE).get()
    pages = "/admin/notifications/message/"

    assert str(saga_id) in client.get(f"{pages}?q={saga_id}").text
    assert client.get(f"{pages}?q=no-uuid").status_code == 200
    assert client.get(f"{pages}{mail.pk}/change/").status_code == 200
    assert client.post(f"{pages}{mail.pk}/change/", {"subject": "x"}).status_code == 403
    assert client.post(f"{pages}{mail.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{pages}add/").status_code == 403
