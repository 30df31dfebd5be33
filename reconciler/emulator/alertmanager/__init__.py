"""Prometheus Alertmanager: API v2, its alerts, silences, groups and webhook notifications."""
