"""The directory: organizations, people, teams, blueprints, agents, their runs and credentials."""
