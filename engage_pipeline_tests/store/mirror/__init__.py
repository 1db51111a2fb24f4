"""Tests of the mirror: a real S3 server, machines that share nothing but a bucket."""
