"""Tests of reconciler.session."""
