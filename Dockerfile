# Two stages: one that installs, one that runs. Neither compiles anything, and the embedded
# PostgreSQL of the development machine is in neither: DATABASE_URL names the database.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /srv/vegafs
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.lock requirements-build.lock ./
RUN pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock \
    && pip install --no-cache-dir --only-binary :all: --require-hashes \
        --target /opt/build -r requirements-build.lock
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY app app
COPY alembic alembic
COPY surefoot surefoot
# The package stays where its alembic folder is; what is installed is the command and the path.
# COPY keeps the modes of the files, which are private where the umask of the builder is.
RUN PYTHONPATH=/opt/build pip install --no-cache-dir --no-deps --no-build-isolation \
        ./surefoot --editable . \
    && pip uninstall --yes pip \
    && rm -r surefoot \
    && python -m compileall -q /opt/venv app \
    && chmod -R a+rX,go-w /opt/venv /srv/vegafs

FROM python:${PYTHON_VERSION}-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin vegafs
WORKDIR /srv/vegafs
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/vegafs /srv/vegafs
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VEGAFS_ENVIRONMENT=production \
    VEGAFS_HOST=0.0.0.0
USER 10001
EXPOSE 8000
# Liveness only, on VEGAFS_PORT: a schema that is behind must not restart the container, nor a
# migration that takes an hour. A container that only migrates has no service to ask: compose.yaml.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-m", "app.probe"]
# For one container: migrate, then serve. With a migration job: `alembic upgrade head` there,
# `vegafs serve` here (compose.yaml, docs/kubernetes.md).
CMD ["vegafs", "serve", "--migrate"]
