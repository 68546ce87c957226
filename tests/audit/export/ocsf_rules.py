"""The rules of the Open Cybersecurity Schema Framework for the classes that events become, as far as they concern them.

Written down from the schema of 1.8.0 and of 1.9.0-dev: required attributes, those that there are, constraints, and numbers with
their captions. An attribute whose value is an object names that object."""

from typing import Any, Final

from audit.export.ocsf.classes import Schema

# --- STABLE ------------------------------------------------------------
_STABLE_EVERY = {
    "required": "activity_id category_uid class_uid metadata severity_id time type_uid",
    "attributes": "action action_id activity_id activity_name authorizations=authorization[] category_name category_uid "
    "class_name class_uid count disposition disposition_id duration end_time message metadata=metadata "
    "policy=policy raw_data raw_data_hash=fingerprint raw_data_size severity severity_id start_time status "
    "status_code status_detail status_id time timezone_offset type_name type_uid unmapped",
    "numbers": {
        "action_id": "0 Unknown|1 Allowed|2 Denied|3 Observed|4 Modified|99 Other",
        "disposition_id": "0 Unknown|1 Allowed|2 Blocked|3 Quarantined|4 Isolated|5 Deleted|6 Dropped|7 Custom "
        "Action|8 Approved|9 Restored|10 Exonerated|11 Corrected|12 Partially Corrected|13 "
        "Uncorrected|14 Delayed|15 Detected|16 No Action|17 Logged|18 Tagged|19 Alert|20 "
        "Count|21 Reset|22 Captcha|23 Challenge|24 Access Revoked|25 Rejected|26 "
        "Unauthorized|27 Error|99 Other",
        "severity_id": "0 Unknown|1 Informational|2 Low|3 Medium|4 High|5 Critical|6 Fatal|99 Other",
    },
}
_STABLE_PROFILES = {
    "action": "security_control",
    "action_id": "security_control",
    "ai_model": "ai_operation",
    "authorizations": "security_control",
    "disposition": "security_control",
    "disposition_id": "security_control",
    "message_context": "ai_operation",
    "policy": "security_control",
}
_STABLE_CLASSES: dict[int, dict[str, Any]] = {
    2004: {
        "name": "Detection Finding",
        "required": "finding_info",
        "constraints": {},
        "attributes": "anomaly_analyses=[] comment device evidences=[] finding_info=finding_info impact impact_id "
        "impact_score remediation resources=resource_details[] vendor_attributes vulnerabilities=[]",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Update|3 Close|99 Other",
            "status_id": "0 Unknown|1 New|2 In Progress|3 Suppressed|4 Resolved|5 Archived|6 Deleted|99 Other",
        },
    },
    3001: {
        "name": "Account Change",
        "required": "user",
        "constraints": {},
        "attributes": "actor=actor auth_factors=[] http_request http_response policies=policy[] "
        "src_endpoint=network_endpoint user=user user_result=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Enable|3 Password Change|4 Password Reset|5 Disable|6 "
            "Delete|7 Attach Policy|8 Detach Policy|9 Lock|10 MFA Factor Enable|11 MFA Factor "
            "Disable|12 Unlock|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3002: {
        "name": "Authentication",
        "required": "user",
        "constraints": {"at_least_one": ["service", "dst_endpoint"]},
        "attributes": "account_switch_type account_switch_type_id actor=actor auth_factors=[] auth_protocol "
        "auth_protocol_id authentication_token certificate dst_endpoint=network_endpoint http_request "
        "http_response is_cleartext is_mfa is_new_logon is_remote logon_process logon_type logon_type_id "
        "service=service session=session src_endpoint=network_endpoint user=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Logon|2 Logoff|3 Authentication Ticket|4 Service Ticket Request|5 "
            "Service Ticket Renew|6 Preauth|7 Account Switch|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3004: {
        "name": "Entity Management",
        "required": "entity",
        "constraints": {},
        "attributes": "access_list=[] access_mask actor=actor comment entity=managed_entity "
        "entity_result=managed_entity http_request http_response src_endpoint=network_endpoint",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Read|3 Update|4 Delete|5 Move|6 Enroll|7 Unenroll|8 Enable|9 "
            "Disable|10 Activate|11 Deactivate|12 Suspend|13 Resume|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3005: {
        "name": "User Access Management",
        "required": "privileges user",
        "constraints": {},
        "attributes": "actor=actor http_request http_response privileges=[] resource=resource_details "
        "resources=resource_details[] src_endpoint=network_endpoint user=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Assign Privileges|2 Revoke Privileges|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3006: {
        "name": "Group Management",
        "required": "group",
        "constraints": {},
        "attributes": "actor=actor group=group http_request http_response privileges=[] resource=resource_details "
        "src_endpoint=network_endpoint subgroup=group user=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Assign Privileges|2 Revoke Privileges|3 Add User|4 Remove User|5 "
            "Delete|6 Create|7 Add Subgroup|8 Remove Subgroup|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    6002: {
        "name": "Application Lifecycle",
        "required": "app",
        "constraints": {},
        "attributes": "app=product",
        "numbers": {
            "activity_id": "0 Unknown|1 Install|2 Remove|3 Start|4 Stop|5 Restart|6 Enable|7 Disable|8 Update|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    6003: {
        "name": "API Activity",
        "required": "actor api src_endpoint",
        "constraints": {},
        "attributes": "actor=actor ai_model api=api dst_endpoint=network_endpoint http_request http_response "
        "message_context resources=resource_details[] src_endpoint=network_endpoint",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Read|3 Update|4 Delete|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
}
_STABLE_OBJECTS: dict[str, dict[str, Any]] = {
    "metadata": {
        "required": "product version",
        "constraints": {},
        "attributes": "correlation_uid debug=[] event_code extension extensions=[] is_truncated labels=[] "
        "log_format log_level log_name log_provider log_source log_version logged_time loggers=[] "
        "modified_time original_event_uid original_time processed_time product=product profiles=[] "
        "reporter sequence source tags=[] tenant_uid total_queued_duration "
        "transformation_info_list=[] transmit_time type uid untruncated_size version",
        "numbers": {},
    },
    "product": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "cpe_name feature lang name path uid url_string vendor_name version",
        "numbers": {},
    },
    "actor": {
        "required": "",
        "constraints": {"at_least_one": ["process", "user", "invoked_by", "session", "app_name", "app_uid"]},
        "attributes": "app_name app_uid authorizations=authorization[] idp invoked_by process session=session user=user",
        "numbers": {},
    },
    "user": {
        "required": "",
        "constraints": {"at_least_one": ["account", "name", "uid"]},
        "attributes": "account credential_uid display_name domain email_addr forward_addr full_name groups=group[] "
        "has_mfa ldap_person name org=organization phone_number "
        "programmatic_credentials=programmatic_credential[] type type_id uid uid_alt",
        "numbers": {"type_id": "0 Unknown|1 User|2 Admin|3 System|4 Service|99 Other"},
    },
    "session": {
        "required": "",
        "constraints": {},
        "attributes": "count created_time credential_uid expiration_reason expiration_time is_mfa is_remote "
        "is_vpn issuer terminal uid uid_alt uuid",
        "numbers": {},
    },
    "authorization": {"required": "", "constraints": {}, "attributes": "decision policy=policy", "numbers": {}},
    "policy": {
        "required": "",
        "constraints": {"at_least_one": ["name", "type", "uid"]},
        "attributes": "data desc group=group is_applied name type uid version",
        "numbers": {},
    },
    "network_endpoint": {
        "required": "",
        "constraints": {
            "at_least_one": [
                "ip",
                "uid",
                "name",
                "hostname",
                "svc_name",
                "instance_uid",
                "interface_uid",
                "interface_name",
                "domain",
            ]
        },
        "attributes": "agent_list=[] autonomous_system domain fingerprints=fingerprint[] hostname "
        "hw_info instance_uid interface_name interface_uid intermediate_ips=[] ip isp "
        "isp_org location mac mac_vendor name network_scope network_scope_id os owner=user "
        "pool=group port proxy_endpoint subnet_uid svc_name type type_id uid vlan_uid "
        "vpc_uid zone",
        "numbers": {
            "type_id": "0 Unknown|1 Server|2 Desktop|3 Laptop|4 Tablet|5 Mobile|6 Virtual|7 "
            "IOT|8 Browser|9 Firewall|10 Switch|11 Hub|12 Router|13 IDS|14 IPS|15 "
            "Load Balancer|99 Other"
        },
    },
    "api": {
        "required": "operation",
        "constraints": {},
        "attributes": "group=group operation request=request response service=service token version",
        "numbers": {},
    },
    "request": {"required": "uid", "constraints": {}, "attributes": "containers=[] data flags=[] uid", "numbers": {}},
    "service": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "labels=[] name tags=[] uid version",
        "numbers": {},
    },
    "resource_details": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "agent_list=[] created_time criticality data group=group hostname ip is_backed_up "
        "labels=[] modified_time name namespace owner=user resource_relationship role "
        "role_id tags=[] type uid uid_alt version",
        "numbers": {},
    },
    "managed_entity": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid", "device", "group", "org", "policy", "user"]},
        "attributes": "data device email group=group location name org=organization policy=policy type "
        "type_id uid user=user version",
        "numbers": {"type_id": "0 Unknown|1 Device|2 User|3 Group|4 Organization|5 Policy|6 Email|7 Network Zone|99 Other"},
    },
    "organization": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "name ou_name ou_uid uid",
        "numbers": {},
    },
    "group": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "desc domain name privileges=[] type uid uid_alt",
        "numbers": {},
    },
    "programmatic_credential": {"required": "uid", "constraints": {}, "attributes": "last_used_time type uid", "numbers": {}},
    "finding_info": {
        "required": "uid",
        "constraints": {},
        "attributes": "analytic attack_graph created_time data_sources=[] desc first_seen_time kill_chain=[] "
        "last_seen_time modified_time product=product product_uid related_analytics=[] "
        "related_events=[] related_events_count src_url tags=[] title traits=[] types=[] uid "
        "uid_alt",
        "numbers": {},
    },
    "fingerprint": {
        "required": "algorithm_id value",
        "constraints": {},
        "attributes": "algorithm algorithm_id value",
        "numbers": {
            "algorithm_id": "0 Unknown|1 MD5|2 SHA-1|3 SHA-256|4 SHA-512|5 CTPH|6 TLSH|7 "
            "quickXorHash|8 SHA-224|9 SHA-384|10 SHA-512/224|11 SHA-512/256|12 "
            "SHA3-224|13 SHA3-256|14 SHA3-384|15 SHA3-512|16 xxHash H3 64-bit|17 "
            "xxHash H3 128-bit|18 Imphash|19 NPF|20 HASSH|99 Other"
        },
    },
}
# --- NEXT ------------------------------------------------------------
_NEXT_EVERY = {
    "required": "activity_id category_uid class_uid metadata severity_id time type_uid",
    "attributes": "action action_id activity_id activity_name attestation_list=attestation[] "
    "authorizations=authorization[] category_name category_uid class_name class_uid count disposition "
    "disposition_id duration end_time message metadata=metadata policy=policy raw_data "
    "raw_data_hash=fingerprint raw_data_size severity severity_id start_time status status_code "
    "status_detail status_id time timezone_offset type_name type_uid unmapped",
    "numbers": {
        "action_id": "0 Unknown|1 Allowed|2 Denied|3 Observed|4 Modified|99 Other",
        "disposition_id": "0 Unknown|1 Allowed|2 Blocked|3 Quarantined|4 Isolated|5 Deleted|6 Dropped|7 Custom "
        "Action|8 Approved|9 Restored|10 Exonerated|11 Corrected|12 Partially Corrected|13 "
        "Uncorrected|14 Delayed|15 Detected|16 No Action|17 Logged|18 Tagged|19 Alert|20 "
        "Count|21 Reset|22 Captcha|23 Challenge|24 Access Revoked|25 Rejected|26 "
        "Unauthorized|27 Error|99 Other",
        "severity_id": "0 Unknown|1 Informational|2 Low|3 Medium|4 High|5 Critical|6 Fatal|99 Other",
    },
}
_NEXT_PROFILES = {
    "action": "security_control",
    "action_id": "security_control",
    "ai_agent": "ai_operation",
    "ai_model": "ai_operation",
    "attestation_list": "record_integrity",
    "authorizations": "security_control",
    "disposition": "security_control",
    "disposition_id": "security_control",
    "message_context": "ai_operation",
    "policy": "security_control",
}
_NEXT_CLASSES: dict[int, dict[str, Any]] = {
    2004: {
        "name": "Detection Finding",
        "required": "finding_info",
        "constraints": {},
        "attributes": "anomaly_analyses=[] comment device evidences=[] finding_info=finding_info impact impact_id "
        "impact_score notes=[] remediation resources=resource_details[] vendor_attributes "
        "vulnerabilities=[]",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Update|3 Close|99 Other",
            "status_id": "0 Unknown|1 New|2 In Progress|3 Suppressed|4 Resolved|5 Archived|6 Deleted|99 Other",
        },
    },
    3001: {
        "name": "Account Change",
        "required": "user",
        "constraints": {},
        "attributes": "actor=actor ai_agent=ai_agent ai_model auth_factors=[] http_request http_response "
        "message_context policies=policy[] src_endpoint=network_endpoint user=user user_result=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Enable|3 Password Change|4 Password Reset|5 Disable|6 "
            "Delete|7 Attach Policy|8 Detach Policy|9 Lock|10 MFA Factor Enable|11 MFA Factor "
            "Disable|12 Unlock|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3002: {
        "name": "Authentication",
        "required": "user",
        "constraints": {"at_least_one": ["service", "dst_endpoint"]},
        "attributes": "account_switch_type account_switch_type_id actor=actor ai_agent=ai_agent ai_model "
        "auth_factors=[] auth_protocol auth_protocol_id authentication_token certificate "
        "dst_endpoint=network_endpoint http_request http_response is_cleartext is_mfa is_new_logon "
        "is_remote logon_process logon_type logon_type_id message_context service=service "
        "session=session src_endpoint=network_endpoint user=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Logon|2 Logoff|3 Authentication Ticket|4 Service Ticket Request|5 "
            "Service Ticket Renew|6 Preauth|7 Account Switch|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3004: {
        "name": "Entity Management",
        "required": "entity",
        "constraints": {},
        "attributes": "access_list=[] access_mask actor=actor ai_agent=ai_agent ai_model comment entity=managed_entity "
        "entity_result=managed_entity http_request http_response message_context "
        "src_endpoint=network_endpoint updated_entity=managed_entity",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Read|3 Update|4 Delete|5 Move|6 Enroll|7 Unenroll|8 Enable|9 "
            "Disable|10 Activate|11 Deactivate|12 Suspend|13 Resume|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3005: {
        "name": "User Access Management",
        "required": "user",
        "constraints": {},
        "attributes": "actor=actor ai_agent=ai_agent ai_model http_request http_response iam_role=iam_role "
        "message_context privileges=[] resource=resource_details resources=resource_details[] "
        "src_endpoint=network_endpoint user=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Assign Privileges|2 Revoke Privileges|3 Assign Role|4 Remove Role|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3006: {
        "name": "Group Management",
        "required": "group",
        "constraints": {},
        "attributes": "actor=actor ai_agent=ai_agent ai_model group=group http_request http_response "
        "iam_roles=iam_role[] message_context policies=policy[] privileges=[] resource=resource_details "
        "resources=resource_details[] src_endpoint=network_endpoint subgroup=group updated_group=group "
        "user=user users=user[]",
        "numbers": {
            "activity_id": "0 Unknown|1 Assign Privileges|2 Revoke Privileges|3 Add User|4 Remove User|5 "
            "Delete|6 Create|7 Add Subgroup|8 Remove Subgroup|9 Update|10 Attach Policies|11 "
            "Detach Policies|12 Assign Roles|13 Remove Roles|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3007: {
        "name": "User Management",
        "required": "user",
        "constraints": {},
        "attributes": "actor=actor ai_agent=ai_agent ai_model auth_factors=[] http_request http_response "
        "iam_roles=iam_role[] message_context policies=policy[] privileges=[] "
        "resources=resource_details[] src_endpoint=network_endpoint updated_user=user user=user",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Update|3 Delete|4 Enable|5 Disable|6 Lock|7 Unlock|8 Password "
            "Change|9 Password Reset|10 Attach Policies|11 Detach Policies|12 Enable MFA "
            "Factors|13 Disable MFA Factors|14 Assign Privileges|15 Remove Privileges|16 Assign "
            "Roles|17 Remove Roles|18 Add Programmatic Credentials|19 Remove Programmatic "
            "Credentials|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    3008: {
        "name": "Role Management",
        "required": "iam_role",
        "constraints": {},
        "attributes": "actor=actor ai_agent=ai_agent ai_model http_request http_response iam_role=iam_role "
        "message_context policies=policy[] privileges=[] "
        "programmatic_credentials=programmatic_credential[] resources=resource_details[] "
        "src_endpoint=network_endpoint updated_role=iam_role",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Update|3 Delete|4 Assign Privileges|5 Remove Privileges|6 "
            "Assign Resources|7 Remove Resources|8 Attach Policies|9 Detach Policies|10 Add "
            "Programmatic Credentials|11 Remove Programmatic Credentials|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    6002: {
        "name": "Application Lifecycle",
        "required": "app",
        "constraints": {},
        "attributes": "ai_agent=ai_agent ai_model app=product message_context",
        "numbers": {
            "activity_id": "0 Unknown|1 Install|2 Remove|3 Start|4 Stop|5 Restart|6 Enable|7 Disable|8 Update|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
    6003: {
        "name": "API Activity",
        "required": "actor api src_endpoint",
        "constraints": {},
        "attributes": "actor=actor ai_agent=ai_agent ai_model api=api dst_endpoint=network_endpoint http_request "
        "http_response message_context resources=resource_details[] src_endpoint=network_endpoint",
        "numbers": {
            "activity_id": "0 Unknown|1 Create|2 Read|3 Update|4 Delete|99 Other",
            "status_id": "0 Unknown|1 Success|2 Failure|99 Other",
        },
    },
}
_NEXT_OBJECTS: dict[str, dict[str, Any]] = {
    "metadata": {
        "required": "product version",
        "constraints": {},
        "attributes": "correlation_uid debug=[] event_code extension extensions=[] is_truncated labels=[] "
        "log_format log_level log_name log_provider log_source log_version logged_time loggers=[] "
        "modified_time original_event_uid original_time processed_time product=product profiles=[] "
        "reporter sequence source tags=[] tenant_uid total_queued_duration "
        "transformation_info_list=[] transmit_time type uid untruncated_size version",
        "numbers": {},
    },
    "product": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "cpe_name feature lang name path uid uid_numeric url_string vendor_name version",
        "numbers": {},
    },
    "actor": {
        "required": "",
        "constraints": {"at_least_one": ["process", "user", "iam_role", "invoked_by", "session", "app_name", "app_uid"]},
        "attributes": "app_name app_uid authorizations=authorization[] iam_role=iam_role idp invoked_by process "
        "session=session user=user",
        "numbers": {},
    },
    "user": {
        "required": "",
        "constraints": {"at_least_one": ["account", "name", "uid"]},
        "attributes": "account credential_uid display_name domain email_addr forward_addr full_name groups=group[] "
        "has_mfa ldap_person name org=organization phone_number "
        "programmatic_credentials=programmatic_credential[] type type_id uid uid_alt uid_numeric",
        "numbers": {"type_id": "0 Unknown|1 User|2 Admin|3 System|4 Service|99 Other"},
    },
    "session": {
        "required": "",
        "constraints": {},
        "attributes": "count created_time credential_uid expiration_reason expiration_time is_mfa is_remote "
        "is_vpn issuer terminal uid uid_alt uuid",
        "numbers": {},
    },
    "authorization": {"required": "", "constraints": {}, "attributes": "decision policy=policy", "numbers": {}},
    "policy": {
        "required": "",
        "constraints": {"at_least_one": ["name", "type", "uid"]},
        "attributes": "data desc group=group is_applied name type uid uid_numeric version",
        "numbers": {},
    },
    "network_endpoint": {
        "required": "",
        "constraints": {
            "at_least_one": [
                "ip",
                "uid",
                "name",
                "hostname",
                "svc_name",
                "instance_uid",
                "interface_uid",
                "interface_name",
                "domain",
            ]
        },
        "attributes": "agent_list=[] autonomous_system domain fingerprints=fingerprint[] hostname "
        "hw_info instance_uid interface_name interface_uid intermediate_ips=[] ip isp "
        "isp_org location mac mac_vendor name network_scope network_scope_id os owner=user "
        "pool=group port proxy_endpoint subnet_uid svc_name type type_id uid uid_numeric "
        "vlan_uid vpc_uid zone",
        "numbers": {
            "type_id": "0 Unknown|1 Server|2 Desktop|3 Laptop|4 Tablet|5 Mobile|6 Virtual|7 "
            "IOT|8 Browser|9 Firewall|10 Switch|11 Hub|12 Router|13 IDS|14 IPS|15 "
            "Load Balancer|99 Other"
        },
    },
    "api": {
        "required": "operation",
        "constraints": {},
        "attributes": "group=group operation request=request response service=service token version",
        "numbers": {},
    },
    "request": {"required": "uid", "constraints": {}, "attributes": "containers=[] data flags=[] uid", "numbers": {}},
    "service": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "labels=[] name tags=[] uid uid_numeric version",
        "numbers": {},
    },
    "resource_details": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "agent_list=[] created_time criticality data group=group hostname ip is_backed_up "
        "labels=[] modified_time name namespace owner=user resource_relationship role "
        "role_id tags=[] type uid uid_alt uid_numeric version",
        "numbers": {},
    },
    "managed_entity": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid", "device", "group", "org", "policy", "user"]},
        "attributes": "data device email group=group location name org=organization policy=policy type "
        "type_id uid uid_numeric user=user version",
        "numbers": {"type_id": "0 Unknown|1 Device|2 User|3 Group|4 Organization|5 Policy|6 Email|7 Network Zone|99 Other"},
    },
    "organization": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "name ou_name ou_uid uid uid_numeric",
        "numbers": {},
    },
    "group": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "desc domain name privileges=[] type uid uid_alt uid_numeric",
        "numbers": {},
    },
    "iam_role": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "account name policies=policy[] privileges=[] "
        "programmatic_credentials=programmatic_credential[] resources=resource_details[] "
        "session=session uid uid_alt uid_numeric",
        "numbers": {},
    },
    "programmatic_credential": {"required": "uid", "constraints": {}, "attributes": "last_used_time type uid", "numbers": {}},
    "finding_info": {
        "required": "uid",
        "constraints": {},
        "attributes": "analytic attack_graph created_time data_sources=[] desc first_seen_time kill_chain=[] "
        "last_seen_time modified_time product=product product_uid related_analytics=[] "
        "related_events=[] related_events_count src_url tags=[] title traits=[] types=[] uid "
        "uid_alt",
        "numbers": {},
    },
    "fingerprint": {
        "required": "algorithm_id value",
        "constraints": {},
        "attributes": "algorithm algorithm_id encoding encoding_id serialization serialization_id value",
        "numbers": {
            "algorithm_id": "0 Unknown|1 MD5|2 SHA-1|3 SHA-256|4 SHA-512|5 CTPH|6 TLSH|7 "
            "quickXorHash|8 SHA-224|9 SHA-384|10 SHA-512/224|11 SHA-512/256|12 "
            "SHA3-224|13 SHA3-256|14 SHA3-384|15 SHA3-512|16 xxHash H3 64-bit|17 "
            "xxHash H3 128-bit|18 Imphash|19 NPF|20 HASSH|99 Other",
            "encoding_id": "0 Unknown|1 Hex|2 Base64|3 Base64URL|99 Other",
            "serialization_id": "0 Unknown|1 Flat|2 JCS|3 JWS|4 COSE|5 DSSE|6 Authenticode|7 Code "
            "Signing|8 App Package|99 Other",
        },
    },
    "attestation": {
        "required": "",
        "constraints": {"at_least_one": ["fingerprint", "signatures"]},
        "attributes": "authority_uid chain_uid fingerprint=fingerprint prev_event=prev_event signatures=[] uid",
        "numbers": {},
    },
    "prev_event": {"required": "uid", "constraints": {}, "attributes": "fingerprint=fingerprint type_uid uid", "numbers": {}},
    "ai_agent": {
        "required": "",
        "constraints": {"at_least_one": ["name", "uid"]},
        "attributes": "ai_model charter instance_uid name type type_id uid uid_numeric version",
        "numbers": {"type_id": "0 Unknown|1 Native|2 LangChain|3 AutoGen|4 CrewAI|99 Other"},
    },
}

RULES: Final[dict[Schema, dict[str, Any]]] = {
    Schema.STABLE: {
        "every": _STABLE_EVERY,
        "profiles": _STABLE_PROFILES,
        "classes": _STABLE_CLASSES,
        "objects": _STABLE_OBJECTS,
    },
    Schema.NEXT: {"every": _NEXT_EVERY, "profiles": _NEXT_PROFILES, "classes": _NEXT_CLASSES, "objects": _NEXT_OBJECTS},
}
