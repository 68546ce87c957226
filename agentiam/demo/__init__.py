"""A company to look at: a fictional ferry operator, loaded through the services, and a working day of its decisions."""
