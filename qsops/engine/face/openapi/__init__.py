"""The engine's own OpenAPI document: the fold of what is told of each endpoint over the routes that are served."""
