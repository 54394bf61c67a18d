"""`make screenshots`: every page of the console, narrow and wide, light and dark, for docs/.

The system is the demo's, started anew; what the pictures show really happened in it.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import django
import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tooling.demo.main import SHORT_TIMES, forget
from tooling.local import stack
from tooling.local.commands import make_admin, manage, migrate
from tooling.local.instance import REPOSITORY, Instance, free_port
from tooling.local.services import embedded
from tooling.local.stack import Ports, start_all, supervise
from tooling.local.supervisor import Supervisor
from tooling.screenshots.aftersales import after_the_sale
from tooling.screenshots.events import add_endpoints, wait_for_mails

FOLDER = REPOSITORY / "docs" / "console"
_SIZES = {"wide": (1280, 860), "narrow": (390, 844)}
_CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
_PATIENCE = 60.0


def main() -> int:
    """Take all pictures; 0 when each page answered with 200."""
    instance = Instance("demo")
    forget(instance)
    with embedded(instance):
        ports = Ports.choose()
        environment = {**os.environ, **instance.environment(), **ports.environment(), **SHORT_TIMES}
        migrate(environment)
        manage(environment, "load_catalogue")
        password = make_admin(instance, environment)
        with supervise(instance, environment, echo=False) as supervisor:
            start_all(supervisor, instance, ports)
            os.environ.update(environment, DJANGO_ALLOW_ASYNC_UNSAFE="true")
            django.setup()
            address = f"http://127.0.0.1:{ports.web}"
            wrong = _take_all(address, ports, password)
            _allow_chaos(supervisor, ports)
            wrong += _take_chaos(address, password)
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(REPOSITORY)}")
    return 1 if wrong else 0


def _take_all(address: str, ports: Ports, password: str) -> int:
    pages = {"dashboard-empty": "/admin/"}
    FOLDER.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with _browser() as browser:
        wrong += _take(browser, address, password, pages)
        checkouts = _play(f"{address}/api/v1", ports)
        failed, doubtful, fine = (checkouts[name] for name in ("failed", "in doubt", "fine"))
        saga = "/admin/sagas/saga/"
        wrong += _take(
            browser,
            address,
            password,
            {
                "dashboard": "/admin/",
                "sagas": saga,
                "saga-failed": f"{saga}{failed}/change/",
                "saga-in-doubt": f"{saga}{doubtful}/change/",
                "saga-complete": f"{saga}{fine}/change/",
                "dry-run": f"{saga}{fine}/do/compensate/",
                "needs-a-human": f"{saga}needs-a-human/",
                "audit": f"{saga}audit/",
                "events": f"{saga}events/",
                "order": checkouts["order page"],
                "order-paid": checkouts["paid order page"],
                "order-cancel": checkouts["cancel page"],
                "order-refund": checkouts["refund page"],
                "saga-cancellation": checkouts["cancellation page"],
                "saga-return": checkouts["return page"],
                "webhooks": "/admin/notifications/webhookendpoint/",
                "webhook": checkouts["webhook page"],
                "webhook-secret": f"{checkouts['webhook page'].removesuffix('change/')}secret/",
                "webhook-replay": f"{checkouts['webhook page'].removesuffix('change/')}replay/",
                "webhook-deliveries": "/admin/notifications/webhookdelivery/",
                "webhook-delivery": checkouts["delivery page"],
                "heard": checkouts["heard page"],
                "told": "/admin/orders/outboxevent/",
                "mails-about-products": "/admin/notifications/notice/",
                "unsubscribe": checkouts["unsubscribe page"],
                "hold-back": f"{saga}switches/",
                "bulk-runs": f"{saga}bulk/",
                "bulk-run": f"{saga}bulk/{checkouts['bulk run']}/",
                "find": "/admin/find/?q=ada@example.org",
                "reservations": "/admin/inventory/reservation/",
                "mails": "/admin/notifications/message/",
                "orders": "/admin/orders/order/",
                "payments": "/admin/payments/payment/",
            },
        )
    return wrong


def _allow_chaos(supervisor: Supervisor, ports: Ports) -> None:
    """Start the processes that look at STAGING_CHAOS again, with it on."""
    names = ("web", "domain", "outside", "compensation")
    for name in names:
        supervisor.stop(name)
        program = stack.web(ports) if name == "web" else stack.worker(name)
        command = ["env", "STAGING_CHAOS=true", *program.command]
        supervisor.start(replace(program, command=command))
    supervisor.wait_ready(*names)


def _take_chaos(address: str, password: str) -> int:
    """Stage faults, let a checkout meet them, and take what the console shows."""
    from django.conf import settings
    from django.contrib.auth.models import User

    from sagas import disturbances
    from sagas.disturbances import Plan
    from sagas.models import Direction, Fault, Saga

    settings.STAGING_CHAOS = True
    admin = User.objects.get(username="admin")
    for step, fault in (
        ("charge_payment", Fault.IN_DOUBT),
        ("confirm_order", Fault.FAILS),
        ("reserve_inventory", Fault.REFUSED),
    ):
        plan = Plan(kind="checkout", step=step, direction=Direction.DO, fault=fault)
        if fault is Fault.REFUSED:
            plan = replace(plan, most_sagas=5, principal="user:1")
        disturbances.plan(plan, operator=admin, reason="the Friday drill")
    disturbed = _place(f"{address}/api/v1", "tok_success")
    _until(lambda: Saga.objects.using("default").get(pk=disturbed).state == "COMPLETE")
    saga = "/admin/sagas/saga/"
    wanted = "part=checkout+do+charge_payment&fault=hangs&attempts=1&most_sagas=2&minutes=15"
    pages = {
        "staging-chaos": f"{saga}chaos/",
        "staging-chaos-plan": f"{saga}chaos/plan/?{wanted}",
        "saga-disturbed": f"{saga}{disturbed}/change/",
    }
    with _browser() as browser:
        return _take(browser, address, password, pages)


def _play(api: str, ports: Ports) -> dict[str, str]:
    """Place checkouts that end in every way; return the ids of those that are looked at."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from sagas import bulk, verbs
    from sagas.audit import runs, windows
    from sagas.mandates import Mandate
    from sagas.models import Saga

    add_endpoints(nobody_listens_on=free_port())
    placed = [_place(api, "tok_success") for _ in range(6)]
    sold = [_place(api, "tok_success") for _ in range(2)]
    _place(api, "tok_declined")
    fine, failed = placed[0], _place(api, "tok_refund_refused")
    _until(lambda: Saga.objects.using("default").get(pk=failed).state == "COMPLETE")
    word = Mandate(operator=None, reason="the shopper called")
    verbs.compensate(UUID(failed), mandate=word, past_pivot=True)
    _until(lambda: Saga.objects.using("default").get(pk=failed).state == "FAILED")
    doubtful = _place(api, "tok_late_success_3600")
    _until(lambda: Saga.objects.using("default").get(pk=doubtful).error_outcome == "in_doubt")
    _charge_past_us(ports)
    runs.run(runs.Scope.EVERYTHING)
    runs.run(runs.Scope.LEDGER, window=windows.due(timezone.now()))
    admin = User.objects.get(username="admin")
    chosen = [UUID(saga_id) for saga_id in placed]
    run = bulk.freeze(chosen, operator=admin, verb="compensate", address=None)
    ids = {"fine": fine, "failed": failed, "in doubt": doubtful, "bulk run": str(run.pk)}
    complete = Saga.objects.using("default").filter(pk__in=sold, state="COMPLETE")
    _until(lambda: complete.count() == len(sold))
    return ids | wait_for_mails(_until) | after_the_sale(sold[0], sold[1], _until)


def _place(api: str, token: str) -> str:
    body = {
        "email": "ada@example.org",
        "shipping_address": {
            "name": "Ada Byron",
            "line1": "1 Analytical Road",
            "city": "London",
            "postal_code": "N1 1AA",
            "country": "GB",
        },
        "lines": [{"sku": "MUG-BLUE", "quantity": 2}, {"sku": "TEAPOT", "quantity": 1}],
        "payment_token": token,
    }
    headers = {"Idempotency-Key": str(uuid4()), "Prefer": "wait=3"}
    answer = httpx.post(f"{api}/checkouts", json=body, headers=headers, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["id"])


def _charge_past_us(ports: Ports) -> None:
    """Let the provider hold a charge that we never asked for, which the audit finds."""
    provider = f"http://127.0.0.1:{ports.provider}/v1/payment_intents"
    body = {"amount": 12_900, "currency": "eur", "payment_method": "tok_success"}
    ours = {"Authorization": "Bearer sk_test_dashboard"}
    made = httpx.post(provider, data=body, headers=ours, timeout=20).raise_for_status().json()
    confirm = f"{provider}/{made['id']}/confirm"
    httpx.post(confirm, headers=ours, timeout=20).raise_for_status()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("the system never came to what the picture is to show")
        time.sleep(0.1)


@contextmanager
def _browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next((p for p in _CHROMIUM if Path(p).exists()), None)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


def _take(browser: Browser, address: str, password: str, pages: dict[str, str]) -> int:
    """Take each page in each size and scheme; return how many did not answer with 200."""
    wrong = 0
    for size, (width, height) in _SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                locale="en-GB",
            )
            page = context.new_page()
            _sign_in(page, address, password)
            for name, path in pages.items():
                answer = page.goto(f"{address}{path}")
                wrong += answer is None or answer.status != 200
                page.wait_for_timeout(500)
                page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png", full_page=True)
            context.close()
    return wrong


def _sign_in(page: Page, address: str, password: str) -> None:
    page.goto(f"{address}/admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.locator("[type=submit]").click()
    page.wait_for_url("**/admin/")
