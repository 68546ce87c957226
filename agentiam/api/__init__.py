"""The management API: everything that developers integrate with, over HTTP and JSON."""
