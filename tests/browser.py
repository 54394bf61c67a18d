"""A real Chromium, and members of staff who work in it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

#: Debian's and others' names of the same browser.
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PASSWORD = "correct-horse-battery-staple"


def chromium() -> str:
    """Return the browser's path; empty if this machine has none."""
    return os.environ.get("CHROMIUM", "") or next(filter(None, map(shutil.which, _NAMES)), "")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a headless browser; the test is skipped on a machine without one."""
    path = chromium()
    if not path:
        pytest.skip("no Chromium: `make browser` installs it, or set CHROMIUM=/path/to/it")
    # Playwright keeps an event loop in this thread, and Django would refuse its ORM beside one.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            # A container has no user namespaces for the sandbox; the pages are our own.
            yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        if before is not None:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@dataclass
class Desk:
    """One member of staff at a screen; ``faults`` collects what the browser complained of."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def sign_in(self, name: str) -> None:
        self.page.goto(f"{self.address}/admin/login/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.locator("[type=submit]").click()
        self.page.wait_for_url("**/admin/", timeout=10_000)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def press(self, label: str, *, reason: str = "the shopper called", reference: str = "") -> None:
        """Follow a verb to its dry run, say why, and carry it out."""
        self.page.get_by_role("link", name=label, exact=True).click()
        self.confirm(label, reason=reason, reference=reference)

    def confirm(self, label: str, *, reason: str, reference: str = "") -> None:
        self.page.get_by_label("Reason").fill(reason)
        if reference:
            self.page.get_by_label("Reference").fill(reference)
        self.page.get_by_role("button", name=label, exact=True).click()

    def reads(self, words: str, *, timeout: float = 30) -> None:
        """Wait until the page shows ``words``; pages look again by themselves."""
        self.page.get_by_text(words).first.wait_for(timeout=timeout * 1000)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.location.get("url", ""):
            self.faults.append(message.text)


def employ(name: str, group: str) -> None:
    """Hire a new member of staff."""
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=group))


def desk(browser: Browser, address: str, name: str, *, width: int = 1280) -> Desk:
    """Give ``name`` a screen of their own and sign them in."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    sitting = Desk(context.new_page(), address)
    sitting.sign_in(name)
    return sitting
