# Stage 1 builds the environment with the same targets that developers and CI use.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/tranche
COPY pyproject.toml requirements.lock Makefile README.md LICENSE ./
COPY client client
COPY app app
COPY migrations migrations
RUN make .venv/run.stamp

# Stage 2 has the environment and the code, nothing to build with, and no root.
FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /srv/tranche tranche
WORKDIR /srv/tranche
COPY --from=build /srv/tranche /srv/tranche
RUN mkdir /data && chown tranche /data
USER tranche
ENV PATH=/srv/tranche/.venv/bin:$PATH \
    TRANCHE_HOST=0.0.0.0 \
    TRANCHE_PORT=8000 \
    TRANCHE_DATABASE_URL=sqlite:////data/tranche.db
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["tranche", "serve"]
