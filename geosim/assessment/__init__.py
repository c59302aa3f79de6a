"""Samples, areas with their error, and agreement with labels: functions of arrays."""
