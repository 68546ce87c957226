"""Every setting of agentiam, grouped; read from the environment by readers that fail loudly (docs/configuration.md)."""

import os
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from csp.constants import NONE, SELF

from agentiam import logs
from agentiam.accounts.provider_settings import oidc_apps, providers_from, saml_apps
from agentiam.environment import Environment, Unreadable, peppers_from, sealing_keys_from, signing_key_from
from agentiam.keyfiles import keys_from
from agentiam.presence import DATABASE

BASE_DIR = Path(__file__).resolve().parent.parent
READ = Environment(os.environ)

# --- where it runs ----------------------------------------------------------------------------------------------------------
ENVIRONMENT = READ.choice("AGENTIAM_ENVIRONMENT", ["development", "production"], default="development")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = READ.flag("AGENTIAM_DEBUG")
DATA_DIR = Path(READ.text("AGENTIAM_DATA_DIR", default=str(BASE_DIR / "var"))).absolute()
try:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise Unreadable(f"AGENTIAM_DATA_DIR: {DATA_DIR} cannot be made a directory ({error.strerror}). Name another.") from None

BASE_URL = READ.origin("AGENTIAM_BASE_URL", default="http://127.0.0.1:8000")
SECURE = BASE_URL.startswith("https://")
LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]  # for the probes of the machine it runs on; links are made from BASE_URL alone
ALLOWED_HOSTS = [
    urlsplit(BASE_URL).netloc.rsplit(":", 1)[0] if urlsplit(BASE_URL).port else urlsplit(BASE_URL).netloc,
    *READ.hosts("AGENTIAM_ALLOWED_HOSTS"),
    *LOOPBACK,
]
# The addresses and networks whose X-Forwarded-* headers are believed. `serve` applies them, so that nobody else's are.
TRUSTED_PROXIES = READ.words("AGENTIAM_TRUST_PROXY")

# --- keys -------------------------------------------------------------------------------------------------------------------
_keys = keys_from(READ, DATA_DIR / "keys", may_make=not PRODUCTION)
SECRET_KEY = _keys["AGENTIAM_SECRET_KEY"]
CREDENTIAL_PEPPERS = peppers_from("AGENTIAM_CREDENTIAL_PEPPERS", _keys["AGENTIAM_CREDENTIAL_PEPPERS"])
AUDIT_SIGNING_KEY = signing_key_from("AGENTIAM_AUDIT_SIGNING_KEY", _keys["AGENTIAM_AUDIT_SIGNING_KEY"])
CARD_SIGNING_KEY = signing_key_from("AGENTIAM_CARD_SIGNING_KEY", _keys["AGENTIAM_CARD_SIGNING_KEY"])
KEY_ENCRYPTION_KEYS = sealing_keys_from("AGENTIAM_KEY_ENCRYPTION_KEYS", _keys["AGENTIAM_KEY_ENCRYPTION_KEYS"])
AUDIT_TRUSTED_KEY_IDS = READ.words("AGENTIAM_AUDIT_TRUSTED_KEY_IDS")
KEY_FILES = [*READ.files, *sorted((DATA_DIR / "keys").glob("[!.]*"))]
del _keys

# --- apps -------------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "agentiam.administration.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "simple_history",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "agentiam.apps.AgentiamConfig",
    "agentiam.accounts.apps.AccountsConfig",
    "agentiam.api.apps.ApiConfig",
    "permissions.apps.PermissionsConfig",
    "directory.apps.DirectoryConfig",
    "audit.apps.AuditConfig",
    "agentiam.jobs.apps.JobsConfig",
]
ROOT_URLCONF = "agentiam.urls"
ASGI_APPLICATION = "agentiam.asgi.application"
MIDDLEWARE = [
    "agentiam.operations.counting.CountingMiddleware",
    "agentiam.requests.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "agentiam.accounts.gate.AccountGate",
    "simple_history.middleware.HistoryRequestMiddleware",
]
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
                "agentiam.dashboard.shell",
            ],
            "libraries": {"ui": "agentiam.kit.templatetags.ui"},
        },
    }
]

# --- database and cache -----------------------------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, dict[str, Any]] = {"default": READ.database("DATABASE_URL", default=f"sqlite:///{DATA_DIR / DATABASE}")}
DATABASES["default"]["ATOMIC_REQUESTS"] = False  # a refusal must not roll back the record of it
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    # A file, so that threads see the same rows; each test process adds its own suffix.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # Under ASGI each request has a thread of its own, so a kept connection would be left behind, not used again.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

REDIS_URL = READ.redis("REDIS_URL")
# Who counts requests and tries does not wait for a Redis that is silent: what cannot be counted is refused.
REDIS_PATIENCE = {"socket_connect_timeout": 2, "socket_timeout": 2}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "agentiam",
        "OPTIONS": REDIS_PATIENCE,
    }
    if REDIS_URL
    # Room enough that nobody pushes the counters of sign-in out by filling it with others.
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 200_000}}
}

# --- people -----------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "directory.User"
AUTHENTICATION_BACKENDS = [
    "agentiam.accounts.backends.PersonBackend",
    "agentiam.roles.ConsoleRoleBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name", "email")},
    },
]
SESSION_COOKIE_AGE = 12 * 3600
PASSWORD_RESET_TIMEOUT = 30 * 60
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-agentiam-session" if SECURE else "agentiam-session"
CSRF_COOKIE_NAME = "__Host-agentiam-csrf" if SECURE else "agentiam-csrf"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CSRF_FAILURE_VIEW = "agentiam.errors.csrf_failure"

# --- how people sign in (django-allauth; agentiam/accounts) ------------------------------------------------------------------
REQUIRE_SECOND_FACTOR = READ.flag("AGENTIAM_REQUIRE_SECOND_FACTOR", default=PRODUCTION)
OIDC_PROVIDERS = providers_from("AGENTIAM_OIDC_PROVIDERS", READ.secret("AGENTIAM_OIDC_PROVIDERS"), needs_issuer=True)
SAML_PROVIDERS = providers_from("AGENTIAM_SAML_PROVIDERS", READ.secret("AGENTIAM_SAML_PROVIDERS"), needs_issuer=False)
if {provider.id for provider in OIDC_PROVIDERS} & {provider.id for provider in SAML_PROVIDERS}:
    raise Unreadable("AGENTIAM_OIDC_PROVIDERS and AGENTIAM_SAML_PROVIDERS name the same id.")
if not all(provider.email_domains for provider in SAML_PROVIDERS):
    raise Unreadable("AGENTIAM_SAML_PROVIDERS: email_domains are missing, so every address would be believed.")
if SAML_PROVIDERS:
    if find_spec("onelogin") is None:
        raise Unreadable("AGENTIAM_SAML_PROVIDERS needs python3-saml: install requirements/extras.txt.")
    INSTALLED_APPS.append("allauth.socialaccount.providers.saml")
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"APPS": oidc_apps(OIDC_PROVIDERS), "OAUTH_PKCE_ENABLED": True},
    "saml": {"APPS": saml_apps(SAML_PROVIDERS)},
}
SOCIALACCOUNT_ADAPTER = "agentiam.accounts.providers.ProviderAdapter"
SOCIALACCOUNT_AUTO_SIGNUP = SOCIALACCOUNT_STORE_TOKENS = SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = False
SOCIALACCOUNT_EMAIL_VERIFICATION = ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "agentiam.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*"]
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGIN_TIMEOUT = 600
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False  # counted in one step by agentiam.accounts.limits, on every way in
MFA_ADAPTER = "agentiam.accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = MFA_ALLOW_UNVERIFIED_EMAIL = MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TRUST_ENABLED = MFA_PASSKEY_SIGNUP_ENABLED = False
MFA_RECOVERY_CODE_DIGITS = 10
MFA_TOTP_TOLERANCE = 1  # clocks differ; a code is good once all the same

# --- what a page may do -----------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
# Other hosts under the same domain are not ours to bind to https.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# --- static files -----------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
SERVESTATIC_USE_FINDERS = True  # from the source tree, read once at the start: no build step
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_MAX_AGE = 300 if PRODUCTION else 0
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# --- management API ---------------------------------------------------------------------------------------------------------
API_RATE = READ.number("AGENTIAM_API_RATE", default=600, least=1)  # requests a minute for each caller
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "agentiam.api.agent_tokens.TokenOfAgent",
        "agentiam.api.authentication.KeyOfCaller",
        "agentiam.api.authentication.SessionOfPerson",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["agentiam.api.rights.WithinScopes"],
    "DEFAULT_THROTTLE_CLASSES": ["agentiam.api.limits.PerCaller"],
    "DEFAULT_PARSER_CLASSES": ["agentiam.api.bodies.StrictJSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "agentiam.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "agentiam.api.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "agentiam.api.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "agentiam",
    "DESCRIPTION": "The management API: who the agents are, who answers for them, what they may do, and what happened.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVERS": [{"url": BASE_URL}],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": f"{BASE_URL}/static/img/mark.svg",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "ENUM_NAME_OVERRIDES": {
        "AgentState": ["discovered", "pending", "active", "suspended", "retired"],
        "OrganizationState": [("active", "Active"), ("suspended", "Suspended")],
        "Outcome": ["always", "depends", "never"],
        "TokenAlgorithm": [("ES256", "ES256: ECDSA on P-256"), ("EdDSA", "EdDSA: Ed25519"), ("RS256", "RS256: RSA")],
        "VersionKind": ["created", "changed", "removed"],
        "Scope": "directory.models.Scope",
        "MachineScope": "directory.models.credential.Scope.of_machines",
        "GuardrailEffect": [("deny", "Deny"), ("require_approval", "Require approval"), ("mask", "Mask")],
        "Effect": [("allow", "allow"), ("deny", "deny"), ("escalate", "escalate")],
        "CredentialKind": [
            ("api_key", "API key"),
            ("client_secret", "Client secret"),
            ("public_key", "Public key"),
            ("federated", "Federated workload identity"),
        ],
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "agentiam.api.schema.finish"],
    "PREPROCESSING_HOOKS": ["agentiam.api.schema.only_the_api"],
}

# --- tokens -----------------------------------------------------------------------------------------------------------------
# Whose issuer the address without a path is; empty for the first organization that was made.
ISSUER_ORGANIZATION = READ.text("AGENTIAM_ISSUER_ORGANIZATION")
TOKEN_RATE = READ.number("AGENTIAM_TOKEN_RATE", default=600, least=1, most=1_000_000)
TOKEN_KEY_DAYS = READ.number("AGENTIAM_TOKEN_KEY_DAYS", default=90, least=7, most=3650)

# --- mail and the clock -----------------------------------------------------------------------------------------------------
_mail = READ.mail("AGENTIAM_EMAIL_URL", default=f"file://{quote(str(DATA_DIR / 'mail'))}")
EMAIL_BACKEND, EMAIL_FILE_PATH = _mail["BACKEND"], _mail["FILE_PATH"]
EMAIL_HOST, EMAIL_PORT = _mail["HOST"], _mail["PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["HOST_USER"], _mail["HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail["USE_TLS"], _mail["USE_SSL"]
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = READ.text("AGENTIAM_EMAIL_FROM", default=f"agentiam@{urlsplit(BASE_URL).hostname}")
del _mail
DORMANT_AFTER = timedelta(days=READ.number("AGENTIAM_DORMANT_DAYS", default=30, least=1, most=3650))
# Not shorter than the longest warning: a finished job is also what says that a warning was given.
RETENTION_JOBS = timedelta(days=READ.number("AGENTIAM_RETENTION_JOBS_DAYS", default=30, least=15, most=3650))
RETENTION_ANSWERS = timedelta(hours=READ.number("AGENTIAM_RETENTION_ANSWERS_HOURS", default=24, least=1, most=720))
RETENTION_SIGNALS = timedelta(days=READ.number("AGENTIAM_RETENTION_SIGNALS_DAYS", default=30, least=2, most=3650))
RETENTION_POLICY_CHANGES = timedelta(days=READ.number("AGENTIAM_RETENTION_POLICY_CHANGES_DAYS", default=30, least=1, most=3650))

# --- messages between two pages ---------------------------------------------------------------------------------------------
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # not a cookie: they name people and agents

# --- jobs -------------------------------------------------------------------------------------------------------------------
# What a server process does about jobs: run them in threads of its own, hand them to Celery, or leave them to others.
JOBS = READ.choice("AGENTIAM_JOBS", ["embedded", "celery", "none"], default="celery" if REDIS_URL else "embedded")
if JOBS == "celery" and not REDIS_URL:
    raise Unreadable("AGENTIAM_JOBS is celery, which needs REDIS_URL.")
# Celery's client has another name for a socket, and refuses TLS unless told how to check the other side.
CELERY_BROKER_URL = (
    REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
) or "memory://"
CELERY_BROKER_USE_SSL = (
    {"ssl_cert_reqs": "required"} if REDIS_URL.startswith("rediss://") and "ssl_" not in REDIS_URL else False
)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Installations may share a Redis: each has its own address, and no process of another takes its messages.
    "global_keyprefix": f"agentiam:{urlsplit(BASE_URL).netloc}:",
    "visibility_timeout": 3600,
    "socket_connect_timeout": 5,
    "socket_timeout": 30,
    "socket_keepalive": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = "jobs"
CELERY_TASK_IGNORE_RESULT = True  # the row has it
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 25.0
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # the lease says who may write, not the connection
CELERY_WORKER_ENABLE_REMOTE_CONTROL = CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = CELERY_WORKER_REDIRECT_STDOUTS = False  # our log lines hide secrets
CELERY_TIMEZONE = "UTC"

# --- demo company: whether the first `make run` loads it --------------------------------------------------------------------
DEMO = READ.choice("AGENTIAM_DEMO", ["ask", "yes", "no"], default="ask")

# --- documents that others name: keys of issuers, what clients say of themselves (agentiam/kit/fetching.py) ------------------
FETCH_NETWORKS = READ.networks("AGENTIAM_FETCH_NETWORKS")

# --- metrics and traces: the libraries are an extra, loaded only where they are asked for -------------------------------------
METRICS_NETWORKS = READ.networks("AGENTIAM_METRICS_NETWORKS", default="127.0.0.0/8,::1/128")
METRICS_TOKEN = READ.secret("AGENTIAM_METRICS_TOKEN")
TRACING = READ.flag("AGENTIAM_TRACING")

# --- language and time ------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "agentiam.formats"
USE_TZ = True
TIME_ZONE = "UTC"

# --- versions of rows -------------------------------------------------------------------------------------------------------
SIMPLE_HISTORY_HISTORY_CHANGE_REASON_USE_TEXT_FIELD = True
SIMPLE_HISTORY_REVERT_DISABLED = True
SIMPLE_HISTORY_ENFORCE_HISTORY_MODEL_PERMISSIONS = True

# --- logs -------------------------------------------------------------------------------------------------------------------
LOGGING_CONFIG = "agentiam.logs.configure"
LOGGING = logs.configuration(
    as_json=PRODUCTION,
    level=READ.choice("AGENTIAM_LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO" if PRODUCTION else "WARNING"),
)
