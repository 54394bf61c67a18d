"""WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_wsgi_application()

from config.chunked import BoundedChunkedBodies  # noqa: E402  (needs the apps to be loaded)

application = BoundedChunkedBodies(_django)
