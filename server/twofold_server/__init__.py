"""Twofold: a gRPC service for accounts, second factors and recovery."""

__version__ = "0.1.0"
