"""Who is similar to whom: authors by their viewers, communities of users."""
