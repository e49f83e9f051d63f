"""The programs behind the Makefile; no part of the service."""
