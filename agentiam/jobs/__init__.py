"""Work that nobody waits for: rows of the business transaction, handed to Celery or to threads of the server."""
