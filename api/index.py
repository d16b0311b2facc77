"""The service as one function on Vercel: its runtime looks for a module-level ``app`` here (docs/deploy.md)."""

from service.app import create_app

app = create_app()
