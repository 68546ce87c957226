"""The directory in the admin."""

from directory.admin import access, agents, credentials, people, teams

__all__ = ["access", "agents", "credentials", "people", "teams"]
