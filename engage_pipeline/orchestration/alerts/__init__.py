"""Notices to a webhook: what is told, how it is sent, and the sensor that does it."""
