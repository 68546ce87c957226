"""What people and teams may do with single applications and roles, in the admin."""

from directory.admin.access import register_rights
from permissions.models import (
    ApplicationGroupPermission,
    ApplicationUserPermission,
    RoleGroupPermission,
    RoleUserPermission,
)
from permissions.services.access import give_access, withdraw_access

for _table in (ApplicationUserPermission, ApplicationGroupPermission, RoleUserPermission, RoleGroupPermission):
    register_rights(_table, give=give_access, withdraw=withdraw_access)
