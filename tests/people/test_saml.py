"""SAML is there where it is configured, with what makes it safe, and nowhere else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = {
    "id": "acme-saml",
    "name": "Acme SAML",
    "organization": "acme",
    "client_id": "acme",
    "email_domains": ["acme.example"],
    "settings": {
        "idp": {
            "entity_id": "https://idp.example/saml",
            "sso_url": "https://idp.example/sso",
            "x509cert": "MIIB",
        }
    },
}
LOOK = """
import json
from django.conf import settings
from django.test import Client
import agentiam.urls
client = Client(HTTP_HOST="127.0.0.1")
answer = client.get("/login/saml/acme/metadata/")
advanced = settings.SOCIALACCOUNT_PROVIDERS["saml"]["APPS"][0]["settings"]["advanced"]
print(json.dumps({"status": answer.status_code, "body": answer.content.decode()[:400], "advanced": advanced}))
"""


def run(tmp_path: Path, provider: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AGENTIAM_DATA_DIR": str(tmp_path), "AGENTIAM_SAML_PROVIDERS": json.dumps([provider])}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_without_a_provider_there_is_no_saml(db: None) -> None:
    assert Client().get("/login/saml/acme/metadata/").status_code in {302, 404}
    assert "allauth.socialaccount.providers.saml" not in settings.INSTALLED_APPS


def test_with_one_it_describes_itself_and_refuses_what_did_not_begin_here(tmp_path: Path) -> None:
    done = run(tmp_path, PROVIDER, "migrate", "--verbosity", "0", "socialaccount")
    assert done.returncode == 0, done.stderr
    loose = {**PROVIDER, "settings": {**PROVIDER["settings"], "advanced": {"reject_idp_initiated_sso": False, "strict": False}}}
    done = run(tmp_path, loose, "shell", "--no-imports", "-c", LOOK)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["status"] == 200, seen
    assert "EntityDescriptor" in seen["body"]
    assert seen["advanced"] == {"reject_idp_initiated_sso": True, "strict": True}


@pytest.mark.parametrize("change", [{"email_domains": []}, {"client_id": ""}])
def test_one_that_would_believe_every_address_stops_the_start(tmp_path: Path, change: dict[str, Any]) -> None:
    done = run(tmp_path, {**PROVIDER, **change}, "check")
    assert done.returncode != 0
    assert "AGENTIAM_SAML_PROVIDERS" in done.stderr + done.stdout
