"""The admin's machinery: rows of one organization, changed by services only."""
