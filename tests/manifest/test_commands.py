"""The commands: what they print, and with which code they end."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from agentiam.kit.tokens import split_token
from agentiam.manifest.shape import schema_text
from audit.models import Event
from tests.manifest.worlds import ACME, HEAD, counts

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def acme(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_text(ACME, encoding="utf-8")
    return str(file)


@pytest.mark.django_db
def test_json_tells_changes_and_each_key_once(acme):
    code, out, _ = run("apply", acme, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["organization"] == "acme"
    assert {"action", "kind", "id", "fields"} == set(answer["changes"][0])
    assert split_token(answer["credentials"]["application/crm"]).prefix == "aip"
    assert split_token(answer["credentials"]["agent/refund-runner"]).prefix == "aia"
    code, out, _ = run("apply", acme, "--json")
    assert json.loads(out) == {"organization": "acme", "changes": [], "credentials": {}, "notes": []}
    secrets = [text.rsplit("_", 1)[1] for text in answer["credentials"].values()]
    assert not any(secret in event.body for event in Event.objects.all() for secret in secrets)


@pytest.mark.django_db
def test_the_difference_is_shown_before_anything_is_done(acme):
    code, out, _ = run("apply", acme)
    assert code == 0
    assert out.index("+ agent refund-runner") < out.index("23 to create.") < out.index("Keys, shown this once:")
    code, out, _ = run("apply", acme)
    assert (code, out) == (0, "Nothing to change.\n")


@pytest.mark.django_db
def test_a_dry_run_says_so(acme):
    before = counts()
    code, out, _ = run("apply", acme, "--dry-run")
    assert code == 0
    assert out.endswith("Nothing was changed: this was a dry run.\n")
    assert counts() == before


@pytest.mark.django_db
def test_the_event_log_is_told_the_file_and_not_where_it_lies(acme):
    assert run("apply", acme)[0] == 0
    assert Event.objects.get(type="organization.created").reason == f"apply {Path(acme).name}"


@pytest.mark.django_db
def test_what_is_unusable_ends_with_2_and_what_is_refused_with_1(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_text(HEAD + "people: [{id: 7}]\n", encoding="utf-8")
    code, out, err = run("apply", str(file))
    assert (code, out) == (2, "")
    assert err.startswith(f"{file}:2:15: people[0].id: A text is expected here, not 7. Put it in quotes.")
    assert err.endswith("Nothing was changed.\n")
    file.write_text(HEAD + "people: [{id: a, email: nobody}]\n", encoding="utf-8")
    code, out, _ = run("apply", str(file), "--json")
    assert code == 1
    (error,) = json.loads(out)["errors"]
    assert (error["file"], error["line"], error["column"], error["path"]) == (str(file), 2, 10, "people[0]")
    assert "email" in error["message"]


@pytest.mark.django_db
def test_somebody_can_act_instead_of_the_system(acme):
    run("apply", acme)
    Path(acme).write_text(ACME.replace("name: Alice,", "name: Alicia,"), encoding="utf-8")
    assert run("apply", acme, "--as", "bob@acme", "--reason", "She asked for it.")[0] == 0
    event = Event.objects.get(type="person.updated")
    assert (event.actor_kind, event.actor_id, event.reason) == ("person", "bob", "She asked for it.")
    assert run("apply", acme, "--as", "nobody") == (2, "", "There is no active person who logs in as nobody.")


@pytest.mark.django_db
def test_an_export_goes_to_a_file(acme, tmp_path):
    run("apply", acme)
    output = tmp_path / "export.yaml"
    assert run("export", "acme", "--output", str(output)) == (0, "", "")
    assert output.read_text(encoding="utf-8") == run("export", "acme")[1]
    assert run("apply", str(output), "--prune")[1] == "Nothing to change.\n"
    assert run("export", "nowhere") == (2, "", 'There is no organization "nowhere".')
    assert run("export", "acme", "--output", str(tmp_path / "no" / "where"))[0] == 2


def test_a_manifest_must_be_named():
    assert run("apply")[0] == 2


def test_the_schema_in_the_documentation_is_the_one_that_holds():
    assert run("apply", "--schema")[1] == schema_text()
    assert (ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_one_and_accepts_the_example():
    from jsonschema import Draft202012Validator

    from agentiam.manifest.reading import read_text

    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(read_text(ACME, name="acme.yaml").plain)) == []


@pytest.mark.django_db
def test_the_example_of_the_documentation_can_be_applied():
    for example in sorted((ROOT / "docs" / "examples").glob("*.yaml")):
        assert run("apply", str(example))[0] == 0
        assert run("apply", str(example), "--prune")[1] == "Nothing to change.\n"
