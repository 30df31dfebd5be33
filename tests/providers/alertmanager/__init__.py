"""Tests of the Alertmanager provider."""
