"""The service's rows: deliveries and webhook posts, beside what a FastAPI app costs that does less, on one core."""
