"""The log in the Open Cybersecurity Schema Framework (schema.ocsf.io): the stable version 1.8, and 1.9 as it is developed."""
