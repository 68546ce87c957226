"""Every setting of agentiam, grouped; read from the environment by readers that fail loudly (docs/configuration.md)."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from agentiam import logs
from agentiam.environment import Environment, Unreadable, peppers_from, signing_key_from
from agentiam.keyfiles import keys_from

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
AUDIT_TRUSTED_KEY_IDS = READ.words("AGENTIAM_AUDIT_TRUSTED_KEY_IDS")
KEY_FILES = [*READ.files, *sorted((DATA_DIR / "keys").glob("[!.]*"))]
del _keys

# --- apps -------------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "guardian",
    "simple_history",
    "agentiam.apps.AgentiamConfig",
    "permissions.apps.PermissionsConfig",
    "directory.apps.DirectoryConfig",
    "audit.apps.AuditConfig",
]
ROOT_URLCONF = "agentiam.urls"
ASGI_APPLICATION = "agentiam.asgi.application"
MIDDLEWARE = [
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
                "agentiam.dashboard.shell",
            ],
            "libraries": {"ui": "agentiam.kit.templatetags.ui"},
        },
    }
]

# --- database and cache -----------------------------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, dict[str, Any]] = {
    "default": READ.database("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'agentiam.sqlite3'}")
}
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
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "agentiam"}
    if REDIS_URL
    # Room enough that nobody pushes the counters of sign-in out by filling it with others.
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 200_000}}
}

# --- people -----------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "directory.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
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
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-agentiam-session" if SECURE else "agentiam-session"
CSRF_COOKIE_NAME = "__Host-agentiam-csrf" if SECURE else "agentiam-csrf"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CSRF_FAILURE_VIEW = "agentiam.errors.csrf_failure"

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
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
# Other hosts under the same domain are not ours to bind to https.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# --- static files -----------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
SERVESTATIC_USE_FINDERS = True  # from the source tree, read once at the start: no build step
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_MAX_AGE = 300 if PRODUCTION else 0
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# --- language and time ------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
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
