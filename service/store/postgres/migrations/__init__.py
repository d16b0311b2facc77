"""The schema's steps on PostgreSQL, one SQL file each, in order."""
