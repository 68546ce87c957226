"""What a person may do with one agent, blueprint or team: rows of guardian's with real foreign keys, gone with their object."""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from directory.models.agent import Agent
from directory.models.blueprint import Blueprint
from directory.models.team import Team


class AgentUserPermission(UserObjectPermissionBase):
    """One row lets one person do one thing with one agent."""

    content_object = models.ForeignKey(Agent, on_delete=models.CASCADE)


class AgentGroupPermission(GroupObjectPermissionBase):
    """One row lets one team do one thing with one agent."""

    content_object = models.ForeignKey(Agent, on_delete=models.CASCADE)


class BlueprintUserPermission(UserObjectPermissionBase):
    """One row lets one person do one thing with one blueprint."""

    content_object = models.ForeignKey(Blueprint, on_delete=models.CASCADE)


class BlueprintGroupPermission(GroupObjectPermissionBase):
    """One row lets one team do one thing with one blueprint."""

    content_object = models.ForeignKey(Blueprint, on_delete=models.CASCADE)


class TeamUserPermission(UserObjectPermissionBase):
    """One row lets one person do one thing with one team."""

    content_object = models.ForeignKey(Team, on_delete=models.CASCADE)


class TeamGroupPermission(GroupObjectPermissionBase):
    """One row lets one team do one thing with another team."""

    content_object = models.ForeignKey(Team, on_delete=models.CASCADE)
