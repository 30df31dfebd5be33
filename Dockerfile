# The command in a small image, for pipelines and for CronJobs:
#   docker build -t reconciler .
#   docker run --rm -v "$PWD:/stack" -e HW_PASSWORD reconciler plan
FROM python:3.12-slim AS build
WORKDIR /source
COPY .ci/requirements .ci/requirements
RUN pip install --no-cache-dir --require-hashes --requirement .ci/requirements/build.txt \
    && pip wheel --no-cache-dir --require-hashes --requirement .ci/requirements/image.txt --wheel-dir /wheels
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.12-slim
# The wheels come from the stage above: their versions and hashes are settled there.
# hadolint ignore=DL3013
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && useradd --uid 10001 --create-home reconciler
USER 10001
WORKDIR /stack
ENTRYPOINT ["reconciler"]
CMD ["--help"]
