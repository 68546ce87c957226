"""The classes of OCSF that events become, with the activities of each: numbers and captions as the schema has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OTHER: Final = 99


class Schema(StrEnum):
    """The versions that are written."""

    STABLE = "1.8.0"
    NEXT = "1.9.0-dev"


@dataclass(frozen=True, slots=True)
class Class:
    """One class: its number within everything, the captions of its activities, and what it is about."""

    uid: int
    name: str
    subject: str
    """Which of the required objects it has: entity, user, group, iam_role, api, authentication, app, finding."""
    activities: Mapping[int, str]

    @property
    def category_uid(self) -> int:
        """The category, which the class's number begins with."""
        return self.uid // 1000

    @property
    def category_name(self) -> str:
        """The caption of the category."""
        return _CATEGORIES[self.category_uid]

    def type_uid(self, activity_id: int) -> int:
        """The number of an activity of this class within everything."""
        return self.uid * 100 + activity_id


_CATEGORIES: Final = {2: "Findings", 3: "Identity & Access Management", 6: "Application Activity"}

DETECTION_FINDING: Final = Class(2004, "Detection Finding", "finding", {1: "Create", 2: "Update", 3: "Close"})

# Deprecated since 1.9 for User Management, and still what 1.8 has.
ACCOUNT_CHANGE: Final = Class(
    3001,
    "Account Change",
    "user",
    {
        1: "Create",
        2: "Enable",
        3: "Password Change",
        4: "Password Reset",
        5: "Disable",
        6: "Delete",
        9: "Lock",
        10: "MFA Factor Enable",
        11: "MFA Factor Disable",
        12: "Unlock",
    },
)
AUTHENTICATION: Final = Class(3002, "Authentication", "authentication", {1: "Logon", 2: "Logoff"})
ENTITY_MANAGEMENT: Final = Class(
    3004,
    "Entity Management",
    "entity",
    {
        1: "Create",
        2: "Read",
        3: "Update",
        4: "Delete",
        8: "Enable",
        9: "Disable",
        10: "Activate",
        11: "Deactivate",
        12: "Suspend",
        13: "Resume",
    },
)
USER_ACCESS: Final = Class(3005, "User Access Management", "user", {1: "Assign Privileges", 2: "Revoke Privileges"})
GROUP_MANAGEMENT: Final = Class(
    3006,
    "Group Management",
    "group",
    {
        1: "Assign Privileges",
        2: "Revoke Privileges",
        5: "Delete",
        6: "Create",
        9: "Update",
        12: "Assign Roles",
        13: "Remove Roles",
    },
)
USER_MANAGEMENT: Final = Class(
    3007,
    "User Management",
    "user",
    {
        1: "Create",
        2: "Update",
        3: "Delete",
        4: "Enable",
        5: "Disable",
        6: "Lock",
        7: "Unlock",
        8: "Password Change",
        9: "Password Reset",
        12: "Enable MFA Factors",
        13: "Disable MFA Factors",
        14: "Assign Privileges",
        15: "Remove Privileges",
        16: "Assign Roles",
        17: "Remove Roles",
        18: "Add Programmatic Credentials",
        19: "Remove Programmatic Credentials",
    },
)
ROLE_MANAGEMENT: Final = Class(3008, "Role Management", "iam_role", {1: "Create", 2: "Update", 3: "Delete"})
APPLICATION_LIFECYCLE: Final = Class(6002, "Application Lifecycle", "app", {3: "Start", 4: "Stop"})
API_ACTIVITY: Final = Class(6003, "API Activity", "api", {1: "Create", 2: "Read", 3: "Update", 4: "Delete"})
