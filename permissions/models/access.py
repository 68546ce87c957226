"""What a person may do with one application or role: rows of guardian's with real foreign keys."""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from permissions.models.application import Application
from permissions.models.role import Role


class ApplicationUserPermission(UserObjectPermissionBase):
    """One row lets one person do one thing with one application."""

    content_object = models.ForeignKey(Application, on_delete=models.CASCADE)


class ApplicationGroupPermission(GroupObjectPermissionBase):
    """One row lets one team do one thing with one application."""

    content_object = models.ForeignKey(Application, on_delete=models.CASCADE)


class RoleUserPermission(UserObjectPermissionBase):
    """One row lets one person do one thing with one role."""

    content_object = models.ForeignKey(Role, on_delete=models.CASCADE)


class RoleGroupPermission(GroupObjectPermissionBase):
    """One row lets one team do one thing with one role."""

    content_object = models.ForeignKey(Role, on_delete=models.CASCADE)
