"""Providers: the protocol, and one package per service."""
