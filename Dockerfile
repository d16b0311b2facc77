# The service: docker build -t qsops . (docs/deploy.md). It holds no setting and no secret; both come when it runs.
FROM python:3.13-slim-bookworm AS build

WORKDIR /src
RUN python -m venv /opt/qsops
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY qsops qsops
COPY service service
RUN /opt/qsops/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[service,postgres]'

FROM python:3.13-slim-bookworm

# Numbers, so that a cluster can see that it is not root. /data is for SQLite, and for handlers of your own.
RUN groupadd --gid 10001 qsops \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin qsops \
    && install -d -o qsops -g qsops /data
COPY --from=build /opt/qsops /opt/qsops

ENV PATH=/opt/qsops/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    QSOPS_DOTENV=off \
    QSOPS_HOST=0.0.0.0 \
    QSOPS_PORT=8000 \
    DATABASE_URL=sqlite:////data/service.db
WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM

# It lives. Whether it can take traffic is /readyz, which a load balancer asks.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]

CMD ["uvicorn", "--factory", "service.app:create_app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-graceful-shutdown", "35"]
