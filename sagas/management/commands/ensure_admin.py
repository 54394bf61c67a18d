import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError

from sagas.models import DATABASE


class Command(BaseCommand):
    help = "Make the superuser ADMIN_USERNAME (admin) with ADMIN_PASSWORD, if it is not there."

    def handle(self, *_: Any, **__: Any) -> None:
        username = os.environ.get("ADMIN_USERNAME", "admin")
        password = os.environ.get("ADMIN_PASSWORD", "")
        users = get_user_model()._default_manager.db_manager(DATABASE)
        if users.filter(username=username).exists():
            self.stdout.write(f"{username} is there already")
            return
        if not password:
            raise CommandError("ADMIN_PASSWORD is empty; set the password that it is to have.")
        users.create_superuser(username=username, password=password)
        self.stdout.write(f"{username} was made")
