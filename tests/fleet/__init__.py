"""Tests of reconciler.fleet."""
