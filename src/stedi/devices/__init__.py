"""Whose device is it (SPEC 5), where it takes more than one model."""
