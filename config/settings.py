"""Settings from the environment; `.env.example` lists every variable with its meaning.

Production is the default, so that a forgotten variable refuses to start rather than
start unsafe. `make run`, `make demo` and `make test` set MAKEGOOD_ENV themselves.
"""

import warnings
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environs import Env

from config import admin_theme, logs
from config.csp import POLICY
from config.safety import StripeAccess, refuse_unsafe_production

# django-fsm 3.0.1 announces its successor at import; the pin is deliberate (requirements.txt).
warnings.filterwarnings("ignore", message="The 'django-fsm' package has been integrated")

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()
env.read_env(BASE_DIR / ".env", recurse=False)

ENVIRONMENT = env.str("MAKEGOOD_ENV", "production")
if ENVIRONMENT not in {"production", "staging", "development", "test"}:
    raise ImproperlyConfigured(
        f"MAKEGOOD_ENV is {ENVIRONMENT!r}; set it to production, staging, development or test."
    )
#: A staging site is run, and kept safe, as production is.
PRODUCTION = ENVIRONMENT in {"production", "staging"}
#: Lets operators make steps go wrong on purpose, from the console; refused in production.
STAGING_CHAOS = env.bool("STAGING_CHAOS", False)

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "" if PRODUCTION else "not-secret-development-only")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", [] if PRODUCTION else ["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

# Apps ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "csp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "orders",
    "inventory",
    "payments",
    "notifications",
    "sagas",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.csp.PolicyByPath",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Databases ----------------------------------------------------------------------------

#: alias -> environment variable; ``config.routers`` maps each app to an alias.
DATABASE_VARIABLES = {
    "default": "DATABASE_URL",
    "orders": "ORDERS_DATABASE_URL",
    "inventory": "INVENTORY_DATABASE_URL",
    "payments": "PAYMENTS_DATABASE_URL",
    "notifications": "NOTIFICATIONS_DATABASE_URL",
}

# A statement, a lock or a forgotten transaction may never hold a worker longer than a lease.
_POSTGRES_LIMITS = (
    "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
)


def _database(variable: str) -> dict[str, object]:
    url = env.str(variable, "")
    if not url:
        raise ImproperlyConfigured(
            f"{variable} is not set; give a URL such as postgres://user:password@host:5432/name "
            "(`make run` and `make test` set one up for you)."
        )
    config: dict[str, object] = dict(
        env.dj_db_url(variable, conn_max_age=600, conn_health_checks=True)
    )
    if config["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            f"{variable} must be a postgres:// URL; the code needs PostgreSQL."
        )
    given = config.get("OPTIONS")
    config["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "options": _POSTGRES_LIMITS,
        # The same statements come again and again: they are planned once for each connection.
        "server_side_binding": True,
        "prepare_threshold": 3 if env.bool("DATABASE_PREPARED_STATEMENTS", True) else None,
        **(given if isinstance(given, dict) else {}),
    }
    # Databases know nothing of each other; a test run may make any of them alone.
    config["TEST"] = {"DEPENDENCIES": []}
    return config


DATABASES = {alias: _database(variable) for alias, variable in DATABASE_VARIABLES.items()}
DATABASE_ROUTERS = ["config.routers.AppRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Celery -------------------------------------------------------------------------------

BROKER_URL = env.str("BROKER_URL", "")
if not BROKER_URL:
    raise ImproperlyConfigured("BROKER_URL is not set; give a redis:// or amqp:// URL.")
#: RabbitMQ rather than Redis or Valkey.
BROKER_IS_AMQP = BROKER_URL.startswith(("amqp", "pyamqp"))

#: How long a broker holds a delivered, unacknowledged message before it gives it to
#: another worker (Redis and Valkey only), in seconds. Waits longer than this live in the database.
BROKER_VISIBILITY_TIMEOUT = env.int("BROKER_VISIBILITY_TIMEOUT", 120)

#: Seconds up to which a retry's wait is also sent as a delayed message; longer ones are left to
#: the recovery tick. None on RabbitMQ: a worker would sit on the delayed message of a quorum
#: queue, and take no other, until its time has come.
LONGEST_COUNTDOWN = 0.0 if BROKER_IS_AMQP else min(30.0, BROKER_VISIBILITY_TIMEOUT / 2)

#: The priority of a message that goes before all others of its queue: RabbitMQ counts up and takes
#: 5 and more first, Redis and Valkey count down, and 0 would stand for none.
BROKER_FIRST = 9 if BROKER_IS_AMQP else 1

#: One queue a domain, one that a backlog of new checkouts cannot starve, one for recovery, one
#: for the audit, which takes its time, one for events and one for what goes out because of them.
CELERY_QUEUES = [
    "orders", "inventory", "payments", "notifications", "webhooks", "compensation", "recovery",
    "audit", "events", "outgoing",
]  # fmt: skip

# Events -------------------------------------------------------------------------------

_TIMELINE = "orders.timeline.record"
_WEBHOOKS = "notifications.webhooks.queueing.queue"
#: type of event -> dotted paths of its consumers; docs/events.md has the payloads. A type that
#: is missing here cannot be told.
EVENT_CONSUMERS: dict[str, list[str]] = {
    "order_created": [_TIMELINE, _WEBHOOKS],
    "order_confirmed": [_TIMELINE, _WEBHOOKS],
    "order_cancelled": [_TIMELINE, _WEBHOOKS],
    "order_shipped": [_TIMELINE, _WEBHOOKS],
    "stock_reserved": [_TIMELINE, _WEBHOOKS],
    "stock_released": [_TIMELINE, _WEBHOOKS],
    "stock_low": ["notifications.notices.tell_staff", _WEBHOOKS],
    "back_in_stock": ["notifications.notices.tell_who_asked", _WEBHOOKS],
    "payment_captured": [_TIMELINE, _WEBHOOKS],
    "payment_refunded": [_TIMELINE, _WEBHOOKS],
    "mail_sent": [_TIMELINE, _WEBHOOKS],
}
#: How often a consumer is tried before an event is given up there and shown as dead.
EVENT_ATTEMPTS = env.int("EVENT_ATTEMPTS", 12)
#: Seconds after which what the broker has had, and no consumer received, is taken to be lost.
EVENT_LOST_AFTER = env.float("EVENT_LOST_AFTER", 60.0)

# Sagas --------------------------------------------------------------------------------

_CHECKOUTS = {
    "charge": "sagas.checkout.saga.CHECKOUT",
    "authorise": "sagas.checkout.authorised.CHECKOUT",
}
#: Whether new checkouts are charged at once, or authorised and captured once the order stands.
CHARGE_MODE = env.str("CHARGE_MODE", "charge")
if CHARGE_MODE not in _CHECKOUTS:
    raise ImproperlyConfigured(f"CHARGE_MODE is {CHARGE_MODE!r}; set it to charge or authorise.")

#: kind -> dotted paths of its definitions, that of new sagas first.
SAGAS: dict[str, str | list[str]] = {
    # Running checkouts keep the story that they began with.
    "checkout": sorted(_CHECKOUTS.values(), key=lambda path: path != _CHECKOUTS[CHARGE_MODE]),
    "cancellation": "sagas.aftersales.cancellation.CANCELLATION",
    "return": "sagas.aftersales.returns.RETURN",
}

#: Seconds a dispatched saga may wait for a free worker before recovery dispatches it
#: again; doubles with every recovery that found it still waiting.
SAGA_QUEUE_LEASE = env.float("SAGA_QUEUE_LEASE", 10.0)
#: Seconds that a running step's lease outlives its time limit.
SAGA_LEASE_MARGIN = env.float("SAGA_LEASE_MARGIN", 5.0)
#: Whether a running step's lease ends with the database session of its worker (docs/adr/0016).
SAGA_WATCH_SESSIONS = env.bool("SAGA_WATCH_SESSIONS", True)
#: Seconds between two looks of a step that waits for somebody else; a webhook comes first.
SAGA_POLL_INTERVAL = env.float("SAGA_POLL_INTERVAL", 10.0)
#: Seconds between two recovery ticks (the migrations write it into the beat schedule).
SAGA_RECOVERY_INTERVAL = env.int("SAGA_RECOVERY_INTERVAL", 3)
#: Sagas that one recovery tick dispatches at the most.
SAGA_RECOVERY_BATCH = env.int("SAGA_RECOVERY_BATCH", 500)
#: Seconds after which the audit calls a saga left hanging that recovery should have taken up.
SAGA_RECOVERY_BUDGET = env.float("SAGA_RECOVERY_BUDGET", 60.0)
#: Seconds after which a checkout before its pivot is given up and compensated.
CHECKOUT_DEADLINE = env.float("CHECKOUT_DEADLINE", 300.0)
#: Seconds after which a return whose refund is not through is given up; banks take days.
RETURN_DEADLINE = env.float("RETURN_DEADLINE", 7 * 86400.0)
#: Seconds that a step within our own databases may run.
STEP_TIME_LIMIT = env.float("STEP_TIME_LIMIT", 5.0)
#: Seconds that a step which calls an outside system (payment provider, mail server) may run.
OUTSIDE_STEP_TIME_LIMIT = env.float("OUTSIDE_STEP_TIME_LIMIT", 15.0)
#: Seconds before the first retry and between two retries at the most.
RETRY_FIRST_DELAY = env.float("RETRY_FIRST_DELAY", 1.0)
RETRY_MAX_DELAY = env.float("RETRY_MAX_DELAY", 300.0)
#: Forward attempts before the pivot, and attempts of steps that must get through (undo, mail).
RETRY_ATTEMPTS = env.int("RETRY_ATTEMPTS", 6)
RETRY_ATTEMPTS_MUST_SUCCEED = env.int("RETRY_ATTEMPTS_MUST_SUCCEED", 12)

#: Folder of a plan by which processes die on purpose (sagas.participant.crash_plan); tests only.
CRASH_PLAN = env.str("CRASH_PLAN", "")

# Payments -----------------------------------------------------------------------------

#: A staging site may take play money with production settings; a shop must not.
PAYMENT_ALLOW_FAKE = env.bool("PAYMENT_ALLOW_FAKE", not PRODUCTION)
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
#: provider name -> dotted path of its gateway; PAYMENT_PROVIDER chooses one. Those that can be
#: reached: their webhooks are taken, and their ledgers are audited.
PAYMENT_GATEWAYS: dict[str, str] = {}
if STRIPE_SECRET_KEY:
    PAYMENT_GATEWAYS["stripe"] = "payments.gateways.stripe.StripeGateway"
if PAYMENT_ALLOW_FAKE:
    PAYMENT_GATEWAYS["fake"] = "payments.gateways.fake.FakeGateway"
PAYMENT_PROVIDER = env.str("PAYMENT_PROVIDER", "" if PRODUCTION else "fake")
#: Seconds to wait for a connection, and for each reply, of the payment provider.
PAYMENT_CONNECT_TIMEOUT = env.float("PAYMENT_CONNECT_TIMEOUT", 2.0)
PAYMENT_READ_TIMEOUT = env.float("PAYMENT_READ_TIMEOUT", 5.0)
#: Who is told that a payment has changed by the provider's own word.
PAYMENT_LISTENER = "sagas.checkout.resume.payment_changed"
#: Where the bank sends shoppers back after 3-D Secure; without it the provider's script does it.
PAYMENT_RETURN_URL = env.str("PAYMENT_RETURN_URL", "")
#: Of the webhook endpoint; two while it is being rotated.
STRIPE_WEBHOOK_SECRETS: list[str] = env.list("STRIPE_WEBHOOK_SECRETS", [])
#: A shop whose keys move no money yet.
STRIPE_ALLOW_TEST_KEY = env.bool("STRIPE_ALLOW_TEST_KEY", not PRODUCTION)
#: Only tests lead elsewhere.
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "https://api.stripe.com")
FAKE_PROVIDER_URL = env.str("FAKE_PROVIDER_URL", "http://127.0.0.1:8790")
FAKE_WEBHOOK_SECRET = env.str("FAKE_WEBHOOK_SECRET", "whsec_fakepay")

# Mail ---------------------------------------------------------------------------------

_email = env.dj_email_url("EMAIL_URL", "smtp://127.0.0.1:1025")
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email["EMAIL_HOST"]
EMAIL_PORT = _email["EMAIL_PORT"]
EMAIL_HOST_USER = _email["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _email["EMAIL_USE_TLS"]
EMAIL_USE_SSL = _email["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", 8)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Makegood <orders@localhost>")
#: The shop's name and the address that shoppers may write to, as the mails show them.
SHOP_NAME = env.str("SHOP_NAME", "Makegood")
SHOP_SUPPORT_EMAIL = env.str("SHOP_SUPPORT_EMAIL", "support@localhost")
#: Which staff is mailed when a product runs low; empty for nobody.
STOCK_EMAIL = env.str("STOCK_EMAIL", "")
#: Under which address shoppers reach this site; links in mails begin with it.
PUBLIC_URL = env.str(
    "PUBLIC_URL",
    f"https://{ALLOWED_HOSTS[0]}" if PRODUCTION and ALLOWED_HOSTS else "http://127.0.0.1:8000",
).rstrip("/")

# Webhooks out ------------------------------------------------------------------------

#: What the endpoints' secrets are derived from: another key makes all of them others.
WEBHOOK_KEY = env.str("WEBHOOK_KEY", "") or SECRET_KEY
#: Lets webhooks go to private addresses, and by plain http to the loopback.
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", not PRODUCTION)
WEBHOOK_CONNECT_TIMEOUT = env.float("WEBHOOK_CONNECT_TIMEOUT", 3.0)
WEBHOOK_TIMEOUT = env.float("WEBHOOK_TIMEOUT", 10.0)
#: After so long without a success an endpoint is turned off, with an alert.
WEBHOOK_DISABLE_AFTER = env.int("WEBHOOK_DISABLE_AFTER", 3 * 24 * 3600)

# Console ------------------------------------------------------------------------------

UNFOLD = admin_theme.UNFOLD
#: Minor units up to which the permission to compensate past the pivot suffices; above, the
#: permission for any amount is needed too.
CONSOLE_PAST_PIVOT_LIMIT = env.int("CONSOLE_PAST_PIVOT_LIMIT", 100_000)
#: Minor units above which a second operator has to agree before money is given back.
CONSOLE_APPROVAL_AMOUNT = env.int("CONSOLE_APPROVAL_AMOUNT", 50_000)
#: Hours after which a saga that waits for a person is overdue.
CONSOLE_SLA_HOURS = env.int("CONSOLE_SLA_HOURS", 4)

# API ----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
        "sagas.checkout.auth.OrderTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.BoundedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.problems.problem_details",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Makegood checkout API",
    "DESCRIPTION": "A checkout either completes or is made good.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "CheckoutStatus": "sagas.checkout.serializers.SHOPPER_STATUSES",
        "OrderStatus": "orders.models.Status",
        "RefundReason": "sagas.aftersales.intake.REASONS",
        "CancellationStatus": "sagas.aftersales.serializers.CANCELLATION_STATUSES",
        "RefundStatus": "sagas.aftersales.serializers.REFUND_STATUSES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.add_problem_responses",
        "config.openapi.write_null_as_type",
        "config.openapi_links.add_links",
    ],
}
#: Bytes of a request body at the most.
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
#: Seconds that `Prefer: wait=N` may hold a request at the most.
CHECKOUT_MAX_WAIT = env.float("CHECKOUT_MAX_WAIT", 10.0)
#: Seconds for which a guest's order token is good.
ORDER_TOKEN_AGE = env.int("ORDER_TOKEN_AGE", 90 * 24 * 3600)

# Security -----------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "config.problems.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = POLICY
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    # Probes speak plain HTTP from inside the cluster.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

# Pages --------------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "build" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# Outside production the finders serve static files, so that no collectstatic is needed.
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = not PRODUCTION

# Logs ---------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
#: Who is mailed when a saga or a payment waits for a human.
ALERT_EMAILS: list[str] = env.list("ALERT_EMAILS", [])
if ALERT_EMAILS:
    ADMINS = [("Alerts", address) for address in ALERT_EMAILS]
    SERVER_EMAIL = DEFAULT_FROM_EMAIL
LOGGING = logs.configured(level=LOG_LEVEL, as_json=PRODUCTION, mail_alerts=bool(ALERT_EMAILS))

if PRODUCTION:
    refuse_unsafe_production(
        secret_key=SECRET_KEY,
        debug=DEBUG,
        allowed_hosts=ALLOWED_HOSTS,
        databases=DATABASES,
        broker_url=BROKER_URL,
        payment_provider=PAYMENT_PROVIDER,
        allow_fake=PAYMENT_ALLOW_FAKE,
        chaos=STAGING_CHAOS and ENVIRONMENT == "production",
        stripe=StripeAccess(
            secret_key=STRIPE_SECRET_KEY,
            webhook_secrets=STRIPE_WEBHOOK_SECRETS,
            api_base=STRIPE_API_BASE,
            allow_test_key=STRIPE_ALLOW_TEST_KEY,
        ),
    )
