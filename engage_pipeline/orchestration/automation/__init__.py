"""Automation: jobs, the sensor of new parts, the nightly schedule."""
