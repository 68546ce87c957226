"""The pure centre: facts and a question in, a decision out; no database, no clock, no logging."""
