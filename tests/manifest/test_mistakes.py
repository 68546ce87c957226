"""Whatever is wrong with a manifest is said with its file, line and column, all of it at once, and nothing is changed."""

import json

import pytest

from agentiam.manifest.mistakes import MOST_SHOWN, Unusable
from agentiam.manifest.reading import LARGEST, read_manifest, read_text
from agentiam.manifest.shape import shaped
from tests.manifest.worlds import ACME, HEAD, apply, counts


def mistakes_of(read) -> list[str]:
    with pytest.raises(Unusable) as caught:
        read()
    return [f"{mistake.place.line}:{mistake.place.column} {mistake.message}" for mistake in caught.value.mistakes]


def form(text: str) -> list[str]:
    return mistakes_of(lambda: shaped(read_text(text, name="acme.yaml")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1 This is empty."]),
        ("# only a comment\n", ["1:1 This is empty."]),
        ("- a\n- b\n", ["1:1 A manifest is a mapping: organization, teams, people, …."]),
        ("just text", ["1:1 A manifest is a mapping: organization, teams, people, …."]),
        (HEAD + "teams: [{id: a, id: b}]\n", ['2:17 "id" is here twice; first in line 2, column 10.']),
        (HEAD + "teams:\n\t- {id: a}\n", ["3:1 A tab cannot indent; use spaces."]),
        (HEAD + "teams: [{id: a}\n", None),
        (HEAD + "people: [{id: a, name: *nobody}]\n", ["2:24 Nothing is anchored as &nobody."]),
        (HEAD + "people: &x [{id: a, attributes: {y: *x}}]\n", ["2:37 *x stands within what it names."]),
        (HEAD + "people: [{id: a, name: !!python/object:os.system x}]\n", None),
        ("%YAML 1.1\n---\n" + HEAD, ["2:1 Only YAML 1.2 is read."]),
        (HEAD + "people: [{id: a, attributes: {x: .inf}}]\n", ["2:34 .inf is not a number that can be stored."]),
        (HEAD + "people: [{id: a, attributes: {x: 1e999}}]\n", ["2:34 1e999 is too large a number."]),
        (HEAD + "people: [{id: a, attributes: {1: x}}]\n", ["2:31 A key must be a text; put it in quotes."]),
        (HEAD + 'people: [{id: a, name: "x\\0y"}]\n', ["2:24 The character U+0000 cannot be used."]),
        (HEAD + "people: [{id: a, name: x\0y}]\n", ["2:25 The character U+0000 cannot be used."]),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(text, expected):
    found = form(text)
    assert len(found) == 1
    if expected is not None:
        assert found == expected


def test_a_billion_laughs_are_not_laughed():
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (found,) = form("\n".join(lines))
    assert "With its aliases written out, this has more than 2,000,000 values." in found


def test_what_is_nested_too_deep_is_refused():
    (found,) = form("a: " + "[" * 5000)
    assert found.startswith("1:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("people: []\n", ['1:1 "organization" is missing.']),
        (HEAD + "peeple: []\n", ['2:1 "peeple" is not a key here. Did you mean "people"?']),
        (HEAD + "people: [{id: a, nam: x}]\n", ['2:18 "nam" is not a key here. Did you mean "name"?']),
        (HEAD + "people:\n  - name: x\n", ['3:5 "id" is missing.']),
        (HEAD + "people: [{id: 010}]\n", ["2:15 A text is expected here, not 10. Put it in quotes."]),
        (HEAD + "people: [{id: true}]\n", ["2:15 A text is expected here, not true. Put it in quotes."]),
        (HEAD + "people: {id: a}\n", ["2:9 A list is expected here, not a mapping."]),
        (HEAD + "people: [{id: ''}]\n", None),
        (HEAD + "agents: [{id: a, purpose: b, state: activ}]\n", ['2:37 "activ" is not known here. Did you mean "active"?']),
        (HEAD + "blueprints: [{id: a, sign_offs: -1}]\n", ["2:33 -1 is less than 0."]),
        (HEAD + "blueprints: [{id: a, spawn: {depth: x}}]\n", ['2:37 A whole number is expected here, not "x".']),
        (
            HEAD + "assignments: [{to: robot/a, role: b}]\n",
            ['2:20 "robot/a" is not of the form agent/ID, user/ID or team/ID.'],
        ),
        (
            HEAD + "assignments: [{to: agent/a, role: b, until: 2028-01-01}]\n",
            ['2:45 "2028-01-01" is not an instant with a zone, like 2028-01-01T00:00:00Z.'],
        ),
        (
            HEAD + "assignments: [{to: agent/a, role: b, until: '2028-01-01T00:00:00'}]\n",
            ['2:45 "2028-01-01T00:00:00" is not an instant with a zone, like 2028-01-01T00:00:00Z.'],
        ),
        (HEAD + "grants: [{to: agent/a, type: b, actions: []}]\n", ["2:42 This is empty."]),
        (
            HEAD + "people: [{id: 1}, {idd: a}]\nteams: 7\n",
            [
                "2:15 A text is expected here, not 1. Put it in quotes.",
                '2:19 "id" is missing.',
                '2:20 "idd" is not a key here. Did you mean "id"?',
                "3:8 A list is expected here, not 7.",
            ],
        ),
    ],
)
def test_a_form_that_is_wrong_is_said_with_its_place(text, expected):
    found = form(text)
    assert found
    if expected is not None:
        assert found == expected


def test_yaml_traps_are_read_as_they_are_written():
    document = shaped(
        read_text(
            HEAD
            + "people: [{id: NO, name: 'on', attributes: {a: 010, b: 0o10, c: no, d: 1_000, e: 12:30:45, f: ~, g: 1e3}}]\n",
            name="acme.yaml",
        )
    )
    (person,) = document.people
    assert (person.id, person.name) == ("NO", "on")
    assert person.attributes == {"a": 10, "b": 8, "c": "no", "d": "1_000", "e": "12:30:45", "f": None, "g": 1000.0}


def test_null_stands_for_the_default():
    nothing = shaped(
        read_text(HEAD + "agents: [{id: a, purpose: b, state: null, hashes: null, name: ~}]\ngrants: null\n", name="x")
    )
    plain = shaped(read_text(HEAD + "agents: [{id: a, purpose: b}]\n", name="x"))
    assert nothing == plain


def test_at_most_fifty_mistakes_are_shown():
    with pytest.raises(Unusable) as caught:
        shaped(read_text(HEAD + "people: [" + ", ".join(["{id: 1}"] * 80) + "]\n", name="acme.yaml"))
    assert (len(caught.value.mistakes), caught.value.left_out) == (MOST_SHOWN, 30)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("old", "new", "pointed", "message"),
    [
        (
            "owner: alice, sponsor: bob",
            "owner: alcie, sponsor: bob",
            "alcie",
            'There is no person "alcie". Did you mean "alice"?',
        ),
        ("sponsor: team/finance", "sponsor: team/finanz", "team/", 'There is no team "finanz". Did you mean "finance"?'),
        ("members: [bob]", "members: [alice, bobby]", "bobby", 'There is no person "bobby". Did you mean "bob"?'),
        ("role: reader, until", "role: raeder, until", "raeder", 'There is no role "raeder". Did you mean "reader"?'),
        (
            "{type: folder, id: f1}}]",
            "{type: foldr, id: f1}}]",
            "foldr",
            'There is no resource type "foldr". Did you mean "folder"?',
        ),
        ("fields: [title],", "fields: [titel],", "titel", 'record declares no field "titel". Did you mean "title"?'),
        ("id: planner, purpose", "id: helper, purpose", "helper", None),
        ("{id: finance, name", "{id: finance, parent: refunds, name", "refunds", "This lies within itself."),
        ("user: alice, agent: refund-runner", "user: alice, agent: refund", "refund", None),
        ("resource: record-1, fields", "resource: record-1, where: 'true', fields", "where", None),
        ("from: agent/planner, to: agent/refund-runner", "from: agent/planner, to: agent/planner", "agent/planner", None),
        (
            "{id: planner, purpose: Plans, owner: alice,",
            "{id: planner, purpose: Plans,",
            "{id",
            '"owner" is missing: every agent has somebody who answers for it.',
        ),
        ("use: true, delegate", "use: false, delegate", "false", "This is neither for use nor for handing on."),
    ],
)
def test_a_name_that_nothing_has_is_said_with_its_place(old, new, pointed, message):
    assert old in ACME
    before = counts()
    text = ACME.replace(old, new, 1)
    offset = ACME.index(old) + new.rindex(pointed)
    line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    found = mistakes_of(lambda: apply(text))
    assert any(each.startswith(f"{line}:{column} {message or ''}") for each in found), found
    assert counts() == before


@pytest.mark.django_db
def test_a_role_that_includes_itself_is_refused():
    assert "includes itself" in mistakes_of(lambda: apply(ACME.replace("includes: []", "includes: [writer]")))[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "written",
    [
        "resource.regoin == 1",
        "'resource.regoin == 1'",
        '"\\x74rue || resource.regoin == 1"',
        "'\"it''s\" == \"x\" || resource.regoin == 1'",
    ],
)
def test_a_condition_is_refused_where_it_is_wrong(written):
    types = "applications: [{slug: crm, resource_types: [{name: r, actions: [read], attributes: {region: string}}]}]\n"
    text = HEAD + types + "roles:\n  - {id: a, entitlements: [{type: r, actions: [read], where: " + written + "}]}\n"
    with pytest.raises(Unusable) as caught:
        apply(text)
    (mistake,) = caught.value.mistakes
    line = text.splitlines()[3]
    assert (mistake.place.line, mistake.place.column) == (4, line.index(".regoin") + 1)
    shown, caret = mistake.excerpt.splitlines()
    assert shown[len(caret) - 1 :].startswith(".regoin")


@pytest.mark.django_db
def test_a_condition_in_a_block_is_refused_in_its_own_line():
    types = "applications: [{slug: crm, resource_types: [{name: r, actions: [read], attributes: {region: string}}]}]\n"
    text = (
        HEAD
        + types
        + "roles:\n- id: a\n  entitlements:\n  - type: r\n    actions: [read]\n"
        + "    when: |\n      true &&\n        resource.regoin == 1\n"
    )
    (found,) = mistakes_of(lambda: apply(text))
    assert found.startswith("10:17 ")


def test_what_is_not_utf_8_is_refused_with_its_place(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_bytes(HEAD.encode() + b"people: [{id: \xff}]\n")
    assert mistakes_of(lambda: read_manifest(str(file))) == ["2:15 This is not UTF-8."]


def test_a_file_that_is_missing_is_said(tmp_path):
    (found,) = mistakes_of(lambda: read_manifest(str(tmp_path / "none.yaml")))
    assert found == "1:1 This cannot be read: No such file or directory."


def test_a_directory_without_files_is_said(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    (found,) = mistakes_of(lambda: read_manifest(str(tmp_path)))
    assert found == "1:1 This directory has no .yaml, .yml or .json file."


def test_a_file_that_is_too_large_is_refused(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_bytes(b"#" * (LARGEST + 1))
    assert mistakes_of(lambda: read_manifest(str(file))) == ["1:1 This is more than 20 MB."]


def test_json_is_read_with_places_too(tmp_path):
    file = tmp_path / "acme.json"
    organization = {"slug": "acme", "name": "Acme", "trust_domain": "acme.example"}
    file.write_text(json.dumps({"organization": organization, "people": [{"id": 7}]}, indent="\t"))
    assert mistakes_of(lambda: shaped(read_manifest(str(file)))) == ["9:10 A text is expected here, not 7. Put it in quotes."]
    file.write_text('{"a": 1,\n "a": 2}')
    assert mistakes_of(lambda: read_manifest(str(file))) == ['2:2 "a" is here twice; first in line 1, column 2.']
    file.write_text('{"a": 1,\n "b" 2}')
    assert mistakes_of(lambda: read_manifest(str(file))) == ["2:6 This is not JSON: expecting ':' delimiter."]
    file.write_text('{"a": NaN}')
    assert "NaN is not a number that can be stored" in mistakes_of(lambda: read_manifest(str(file)))[0]
    file.write_text("[" * 100_000)
    assert len(mistakes_of(lambda: read_manifest(str(file)))) == 1


def test_a_directory_is_put_together_and_its_mistakes_name_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text(HEAD + "people: [{id: alice}]\n")
    (tmp_path / "b.yml").write_text("people:\n  - {id: bob}\n  - {id: 7}\n")
    (tmp_path / "c.json").write_text(json.dumps({"teams": [{"id": "t", "members": ["alice"]}]}))
    (tmp_path / "d.yaml").write_text("# nothing here\n")
    with pytest.raises(Unusable) as caught:
        shaped(read_manifest(str(tmp_path)))
    (mistake,) = caught.value.mistakes
    assert (mistake.place.file, mistake.place.line, mistake.path) == (str(tmp_path / "b.yml"), 3, "people[1].id")
    (tmp_path / "b.yml").write_text("people:\n  - {id: bob}\n---\npeople: [{id: carol}]\n")
    document = shaped(read_manifest(str(tmp_path)))
    assert [person.id for person in document.people] == ["alice", "bob", "carol"]
    assert document.teams[0].members == ["alice"]


@pytest.mark.django_db
def test_the_same_id_in_two_files_names_both_places(tmp_path):
    from agentiam.manifest.applying import apply_manifest
    from tests.manifest.worlds import APPLY, NOW

    (tmp_path / "a.yaml").write_text(HEAD + "people: [{id: alice}]\n")
    (tmp_path / "b.yaml").write_text("people: [{id: alice}]\n")
    with pytest.raises(Unusable) as caught:
        apply_manifest(read_manifest(str(tmp_path)), by=APPLY, reason="", now=NOW)
    (mistake,) = caught.value.mistakes
    assert str(mistake.place) == f"{tmp_path / 'b.yaml'}:1:15"
    assert mistake.message == f'"alice" is here twice; first at {tmp_path / "a.yaml"}:2:15.'


def test_two_different_organizations_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text(HEAD)
    (tmp_path / "b.yaml").write_text(HEAD)
    (tmp_path / "c.yaml").write_text(HEAD.replace("Acme", "Other"))
    assert mistakes_of(lambda: read_manifest(str(tmp_path))) == [
        f"1:1 The organization is described differently at {tmp_path / 'a.yaml'}:1:1."
    ]
