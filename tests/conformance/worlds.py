"""The fixtures of the public AuthZEN scenarios, each as an organization of its own."""

import base64

CERTIFICATION = """
organization: {slug: certification, name: Certification, trust_domain: certification.example}
people:
  - {id: alice, name: Alice}
  - {id: bob, name: Bob, attributes: {role: admin}}
applications:
  - slug: records
    believes: {resource_properties: true, subject_properties: true}
    resource_types:
      - {name: record, actions: [read, write, delete], attributes: {status: string}}
resources:
  - {type: record, id: record-1, attributes: {status: active}}
  - {type: record, id: record-2, attributes: {status: archived}}
roles:
  - {id: reader, entitlements: [{type: record, actions: [read]}]}
  - {id: editor, entitlements: [
      {type: record, actions: [write], where: 'resource.status == "active"'},
      {type: record, actions: [delete], when: 'action.properties.soft == true'}]}
  - {id: archivist, entitlements: [
      {type: record, actions: [write], where: 'resource.status == "archived"', when: 'subject.properties.role == "admin"'}]}
assignments:
  - {to: user/alice, role: reader}
  - {to: user/alice, role: editor}
  - {to: user/bob, role: reader}
  - {to: user/bob, role: archivist}
  - {to: user/alice, role: archivist}
"""

_PEOPLE = [
    ("rick", "the-citadel.com", ("admin", "evil_genius")),
    ("morty", "the-citadel.com", ("editor",)),
    ("summer", "the-smiths.com", ("editor",)),
    ("beth", "the-smiths.com", ("viewer",)),
    ("jerry", "the-smiths.com", ("viewer",)),
]


def _id(number: int) -> str:
    """Give the id of one of the five, as the scenario writes it: a UUID and a connector as protobuf, in base64."""
    uuid = f"fd{number}614d3-c39a-4781-b7bd-8b96f5a5100d"
    return base64.b64encode(b"\n$" + uuid.encode() + b"\x12\x05local").decode()


def _people() -> str:
    lines = ["people:"]
    lines += [
        f"  - {{id: {_id(number)}, name: {name}, email: {name}@{domain}}}" for number, (name, domain, _) in enumerate(_PEOPLE)
    ]
    lines.append("assignments:")
    lines += [
        f"  - {{to: user/{_id(number)}, role: {role}}}"
        for number, (_, _, roles) in enumerate(_PEOPLE)
        for role in ("everyone", *roles)
    ]
    return "\n".join(lines) + "\n"


TODO = """
organization: {slug: todo, name: Todo, trust_domain: todo.example}
applications:
  - slug: todos
    resource_types:
      - {name: user, actions: [can_read_user]}
      - name: todo
        actions: [can_read_todos, can_create_todo, can_update_todo, can_delete_todo]
        attributes: {ownerID: string}
roles:
  - {id: everyone, entitlements: [{type: user, actions: [can_read_user]}, {type: todo, actions: [can_read_todos]}]}
  - {id: admin, entitlements: [{type: todo, actions: [can_create_todo, can_delete_todo]}]}
  - {id: evil_genius, entitlements: [{type: todo, actions: [can_update_todo]}]}
  - {id: editor, entitlements: [
      {type: todo, actions: [can_create_todo]},
      {type: todo, actions: [can_update_todo, can_delete_todo], where: 'resource.ownerID == subject.email'}]}
  - {id: viewer}
"""
TODO += _people()

GATEWAY = """
organization: {slug: gateway, name: Gateway, trust_domain: gateway.example, subject_types: {identity: user}}
applications:
  - slug: gateway
    resource_types:
      - {name: route, actions: [GET, POST, PUT, DELETE]}
roles:
  - {id: everyone, entitlements: [
      {type: route, actions: [GET], resource: "/users/{userId}"}, {type: route, actions: [GET], resource: /todos}]}
  - {id: admin, entitlements: [
      {type: route, actions: [POST], resource: /todos}, {type: route, actions: [DELETE], resource: "/todos/{todoId}"}]}
  - {id: editor, includes: [admin], entitlements: [{type: route, actions: [PUT], resource: "/todos/{todoId}"}]}
  - {id: evil_genius, entitlements: [{type: route, actions: [PUT], resource: "/todos/{todoId}"}]}
  - {id: viewer}
"""
GATEWAY += _people()
