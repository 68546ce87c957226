"""The log in formats that leave the house."""
