# The service with the model inside: no compiler, no PyTorch, no root.
#   docker build -t crossguard . && docker run --rm -p 127.0.0.1:8080:8080 -e CROSSGUARD_INSECURE=true crossguard
# Published beyond this machine it wants keys (CROSSGUARD_KEYS_FILE) in place of CROSSGUARD_INSECURE.
# Another model: FROM crossguard, then COPY its bundle to /opt/ml/model (where SageMaker unpacks one, too).
# Packages come by hash from deploy/requirements.txt (`make lock`). A tag of the base image may move; for a build that can
# be repeated, give its digest, which `docker buildx imagetools inspect python:3.13-slim-bookworm` prints:
#   docker build --build-arg BASE=python:3.13-slim-bookworm@sha256:DIGEST -t crossguard .
ARG BASE=python:3.13-slim-bookworm
FROM ${BASE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY pyproject.toml README.md LICENSE deploy/requirements.txt deploy/requirements-build.txt ./
COPY src src
RUN python -m venv builder && builder/bin/pip install --require-hashes -r requirements-build.txt \
    && builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels .
RUN python -m venv /opt/crossguard && /opt/crossguard/bin/pip install --require-hashes -r requirements.txt \
    && /opt/crossguard/bin/pip install --no-deps wheels/crossguard-*.whl
# The image must score by itself, and must not carry what only training needs.
RUN /opt/crossguard/bin/crossguard models && /opt/crossguard/bin/python -c "import importlib.util as u; assert not u.find_spec('torch')"

ARG BASE=python:3.13-slim-bookworm
FROM ${BASE}

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin crossguard
COPY --from=build /opt/crossguard /opt/crossguard
# A container listens on all of its interfaces, and asks no hub: its model is inside or mounted.
ENV PATH="/opt/crossguard/bin:${PATH}" \
    CROSSGUARD_HOST=0.0.0.0 \
    HF_HUB_OFFLINE=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ.get(\"CROSSGUARD_PORT\", 8080)}/healthz', timeout=2)"]
# SageMaker starts a container with the one argument `serve`.
ENTRYPOINT ["crossguard"]
CMD ["serve"]
