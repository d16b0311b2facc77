"""The steps of the engine's schema: file n brings a database from version n - 1 to n. A released step never changes."""
