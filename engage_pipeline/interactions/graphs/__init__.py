"""Graphs of users: authors with shared followers, and communities of users."""
