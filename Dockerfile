# The Python version that the test suite runs on. The same tag twice: the packages are built for it.
FROM python:3.11-slim AS packages
WORKDIR /aims
COPY requirements.txt ./
# Wheels only, so that nothing is compiled: a package without a wheel fails here by name.
RUN python -m venv --without-pip .venv && \
    pip --python .venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary=:all: -r requirements.txt

FROM python:3.11-slim
WORKDIR /aims
# With a read-only root file system, the workers' heartbeat still needs a writable directory.
ENV PATH=/aims/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GUNICORN_CMD_ARGS="--worker-tmp-dir /dev/shm"
COPY --from=packages /aims/.venv ./.venv
COPY alembic.ini ./
COPY alembic ./alembic
COPY scripts ./scripts
COPY app ./app
# Everything above belongs to root; this user, a numeric id without a name, can only read it.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
# The command execs Gunicorn, which therefore receives SIGTERM and finishes requests in flight.
CMD ["python", "-m", "app.cli", "serve", "--host", "0.0.0.0"]
