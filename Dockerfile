# The loaders and the dbt project in one image. The command selects what runs: `run --source api`, `build`, `doctor`.
# It runs as an unprivileged user on a read-only root file system and writes only to /scratch.
FROM python:3.13.14-slim-trixie AS packages
COPY requirements/container.txt /
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
    -r /container.txt

FROM python:3.13.14-slim-trixie
RUN useradd --uid 10001 --home-dir /scratch --shell /usr/sbin/nologin pipeline \
 && install --directory --owner pipeline --group pipeline /scratch
COPY --from=packages /venv /venv
COPY . /app
RUN /venv/bin/python -m compileall -q /app/extract

WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/scratch \
    TMPDIR=/scratch \
    DBT_TARGET=prod \
    EXTRACT_WORK=/scratch/extract \
    DBT_TARGET_PATH=/scratch/target \
    DBT_LOG_PATH=/scratch/logs \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false
# Fargate gives its scratch volume the owner of this folder, if the volume is declared here.
VOLUME /scratch
USER 10001

HEALTHCHECK --interval=5m --timeout=2m --start-period=1m CMD ["python", "-m", "extract", "doctor"]
ENTRYPOINT ["python", "-m", "extract"]
CMD ["--help"]
