"""Ten million log rows asked four questions: from the archive, and from the log by hand in pandas."""
