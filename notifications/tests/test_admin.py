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

    shown = f"{pages}{mail.pk}/change/"
    for words in (str(saga_id), mail.recipient.upper(), mail.message_id):
        listed = client.get(pages, {"q": words}).text
        assert shown in listed
        assert f'href="/admin/sagas/saga/{saga_id}/change/"' in listed
    assert shown not in client.get(pages, {"q": mail.recipient[1:]}).text
    assert f'href="/admin/sagas/saga/{saga_id}/change/"' in client.get(shown).text
    assert client.get(f"{pages}?q=no-uuid").status_code == 200
    assert client.get(f"{pages}{mail.pk}/change/").status_code == 200
    assert client.post(f"{pages}{mail.pk}/change/", {"subject": "x"}).status_code == 403
    assert client.post(f"{pages}{mail.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{pages}add/").status_code == 403
