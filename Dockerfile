# syntax=docker/dockerfile:1
# Two stages: the first installs the locked dependencies and the wheel into a virtual environment, the second takes only that.

FROM python:3.13-slim AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/otklik
# The lock changes seldom: its layer is kept while the code moves.
COPY requirements.lock ./
RUN /opt/otklik/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY app app
COPY connectors connectors
COPY migrations migrations
RUN pip wheel --no-deps --wheel-dir /dist . && /opt/otklik/bin/pip install --no-deps /dist/otklik-*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Otklik" \
      org.opencontainers.image.description="Citizens' comments on official pages, turned into appeals, answered in time" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 otklik \
 && useradd --system --uid 10001 --gid otklik --home-dir /var/lib/otklik --create-home otklik
COPY --from=build /opt/otklik /opt/otklik
ENV PATH=/opt/otklik/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OTKLIK_DATA_DIR=/var/lib/otklik \
    OTKLIK_HOST=0.0.0.0 \
    OTKLIK_LOG_JSON=true
USER otklik
WORKDIR /var/lib/otklik
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of the web process. The worker has a port of its own: compose.yaml looks there.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.getenv('OTKLIK_PORT', '8000') + '/health/live', timeout=2)"]
ENTRYPOINT ["otklik"]
CMD ["web"]
