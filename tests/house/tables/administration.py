"""The admin: for staff only, each in their own organization.

The pages of the tables are listed here, and asked for in tests/administration/test_addresses.py, where there is a row of each.
"""

from typing import Final

from tests.house.tables.expected import LOGIN, Table

_STAFF: Final = (200, 403, 403, 200, LOGIN)
_READ_ONLY: Final = (405, 403, 403, 405, LOGIN)

TABLE: Table = {
    "admin:index": ("/admin/", _STAFF, _READ_ONLY),
    "admin:secret": ("/admin/secret/", _STAFF, _READ_ONLY),
    "admin:jsi18n": ("/admin/jsi18n/", _STAFF, _READ_ONLY),
    "admin:app_list": ("/admin/directory/", _STAFF, _READ_ONLY),
    "admin:autocomplete": (
        "/admin/autocomplete/?app_label=directory&model_name=agent&field_name=owner",
        _STAFF,
        _READ_ONLY,
    ),
}

PAGES: Final = {
    "api_rememberedanswer": "change changelist",
    "audit_attestation": "change changelist",
    "audit_chain": "change changelist",
    "audit_checkpoint": "change changelist",
    "audit_event": "change changelist",
    "audit_signingkey": "change changelist",
    "directory_agent": "add change changelist do history",
    "directory_agentgrouppermission": "add change changelist do",
    "directory_agentuserpermission": "add change changelist do",
    "directory_blueprint": "add change changelist history",
    "directory_blueprintgrouppermission": "add change changelist do",
    "directory_blueprintuserpermission": "add change changelist do",
    "directory_credential": "add change changelist do history",
    "directory_invitation": "add change changelist do history",
    "directory_onboardingtoken": "add change changelist do history",
    "directory_organization": "change changelist do history",
    "directory_personkey": "add change changelist do history",
    "directory_policychange": "change changelist",
    "directory_run": "change changelist do history",
    "directory_signoff": "change changelist",
    "directory_team": "add change changelist history",
    "directory_teamgrouppermission": "add change changelist do",
    "directory_teamuserpermission": "add change changelist do",
    "directory_user": "add change changelist do history",
    "jobs_job": "change changelist do",
    "permissions_accesstoken": "change changelist do",
    "permissions_application": "add change changelist do history",
    "permissions_applicationgrouppermission": "add change changelist do",
    "permissions_applicationkey": "add change changelist do history",
    "permissions_applicationuserpermission": "add change changelist do",
    "permissions_authorization": "change changelist do",
    "permissions_authorizationcode": "change changelist",
    "permissions_blueprintrole": "add change changelist do history",
    "permissions_consent": "change changelist do history",
    "permissions_delegation": "add change changelist do history",
    "permissions_entitlement": "add change changelist do history",
    "permissions_grant": "add change changelist do history",
    "permissions_guardrail": "add change changelist do history",
    "permissions_guardrailversion": "change changelist history",
    "permissions_lastaddress": "change changelist",
    "permissions_oauthclient": "change changelist history",
    "permissions_refreshtoken": "change changelist",
    "permissions_replacement": "add change changelist do history",
    "permissions_resource": "add change changelist do history",
    "permissions_resourcetype": "add change changelist do history",
    "permissions_role": "add change changelist do history",
    "permissions_roleassignment": "add change changelist do history",
    "permissions_rolegrouppermission": "add change changelist do",
    "permissions_roleinclusion": "add change changelist do history",
    "permissions_roleuserpermission": "add change changelist do",
    "permissions_signal": "change changelist",
    "permissions_tokenkey": "change changelist do",
    "permissions_trust": "add change changelist do history",
    "permissions_trustedissuer": "add change changelist do history",
    "permissions_usedproof": "change changelist",
}
ELSEWHERE: Final = ("admin:login", *(f"admin:{table}_{page}" for table, pages in PAGES.items() for page in pages.split()))
