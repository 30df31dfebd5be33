# The command in a small image, for pipelines and for CronJobs:
#   docker build -t reconciler .
#   docker run --rm -v "$PWD:/stack" -e HW_TOKEN reconciler plan
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[server,postgres,huaweicloud,baidu]'

FROM python:3.12-slim
# The wheels come from the stage above: their versions are settled there.
# hadolint ignore=DL3013
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels 'reconciler[server,postgres,huaweicloud,baidu]' \
    && useradd --uid 10001 --create-home reconciler
USER 10001
WORKDIR /stack
ENTRYPOINT ["reconciler"]
CMD ["--help"]
