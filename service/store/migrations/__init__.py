"""The schema's steps, one SQL file each, in order."""
