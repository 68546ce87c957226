"""The log in formats that leave the house.

``export`` gives an organization's events as JSON lines, CSV, OCSF or CEF, to the command and to the API alike; ``jsonl`` is the
export of the whole log that proves itself.
"""

from audit.export.exporting import CONTENT_TYPES, SUFFIXES, Export, Format, export
from audit.export.filters import BadFilter, Filters

__all__ = ["CONTENT_TYPES", "SUFFIXES", "BadFilter", "Export", "Filters", "Format", "export"]
