"""The organization that the decision endpoints are tested in, and its stranger."""

ACME = """
organization: {slug: acme, name: Acme, trust_domain: acme.example, time_zone: Europe/Berlin, subject_types: {identity: user}}
teams: [{id: finance, name: Finance, members: [bob]}]
people:
  - {id: alice, name: Alice, email: alice@acme.example, attributes: {department: support}}
  - {id: bob, name: Bob, email: bob@acme.example}
applications:
  - slug: crm
    audience: https://crm.acme.example
    resource_types:
      - name: record
        actions: [read, write, delete]
        attributes: {status: string, region: string, amount: double}
        fields: {title: internal, email: personal, iban: sensitive}
      - {name: folder, actions: [read]}
  - slug: lake
    believes: {resource_properties: true, subject_properties: true}
    resource_types:
      - {name: table, actions: [query], attributes: {rows: int}}
resources:
  - {type: folder, id: f1}
  - {type: record, id: record-1, attributes: {status: active, region: EU}, parent: {type: folder, id: f1}}
  - {type: record, id: record-2, attributes: {status: active, region: US}}
  - {type: record, id: record-3, attributes: {status: archived, region: EU}}
roles:
  - {id: reader, entitlements: [{type: record, actions: [read], where: 'resource.region == "EU"', fields: [title, email]}]}
  - {id: everything, entitlements: [{type: record, actions: ["*"]}]}
blueprints:
  - {id: support, roles: [reader], ceiling: [{type: record, actions: [read, write]}], spawn: {depth: 2, children: 3}}
agents:
  - {id: runner, name: Runner, purpose: Refunds, owner: alice, sponsor: bob, blueprint: support,
     capabilities: [{type: record, actions: [read, write]}]}
  - {id: planner, name: Planner, purpose: Plans, owner: alice, sponsor: bob}
  - {id: helper, name: Helper, purpose: Helps, owner: alice, sponsor: bob, blueprint: support, parent: runner}
assignments:
  - {to: user/alice, role: everything}
  - {to: team/finance, role: everything}
grants:
  - {to: agent/runner, type: record, actions: [write], fields: [title]}
  - {to: agent/planner, type: record, actions: [read], use: false, delegate: true}
  - {to: user/alice, type: table, actions: [query], when: 'subject.department == "support"'}
guardrails:
  - {id: big-amounts, effect: require_approval, type: record, actions: [write], when: 'action.properties.amount > 200.0',
     reason: Large amounts need a person}
  - {id: no-archive, effect: deny, type: record, actions: [write], when: 'resource.status == "archived"',
     reason: The archive is closed}
  - {id: mask-mail, effect: mask, type: record, actions: [read], fields: [email], reason: Mail addresses are masked}
consents:
  - {user: alice, agent: runner, type: record, actions: [read, write]}
  - {user: bob, agent: runner, type: record, actions: [read], purpose: refunds}
  - {user: alice, agent: planner, type: record, actions: [read]}
delegations:
  - {from: agent/planner, to: agent/runner, type: record, actions: [read], depth: 1}
"""

OTHER = """
organization: {slug: other, name: Other, trust_domain: other.example}
people: [{id: mallory, name: Mallory}]
applications:
  - slug: crm
    resource_types: [{name: record, actions: [read]}]
agents:
  - {id: runner, name: Their runner, purpose: Theirs, owner: mallory, sponsor: mallory}
"""
