# A server with the module, and with --target console the console. To use another server (a Debian image with glibc 2.34
# or newer): --build-arg SERVER_IMAGE=valkey/valkey:9
ARG SERVER_IMAGE=redis:8

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN cargo build --release --locked

FROM rust:1-bookworm AS build-console
WORKDIR /build
COPY clients/rust clients/rust
COPY console console
RUN cargo build --release --locked --manifest-path console/Cargo.toml

FROM debian:bookworm-slim AS console
COPY --from=build-console /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build-console /build/console/target/release/redis-mq /usr/local/bin/
# Any user without rights.
USER 65534:65534
EXPOSE 8090
HEALTHCHECK --interval=10s --timeout=3s CMD ["bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/8090"]
ENTRYPOINT ["redis-mq"]
CMD ["serve", "--listen", "0.0.0.0:8090"]

FROM ${SERVER_IMAGE}
COPY docker/redis.conf /etc/redis-mq.conf
COPY docker/start.sh /usr/local/bin/redis-mq-start
COPY docker/healthy.sh /usr/local/bin/redis-mq-healthy
COPY --from=build /build/target/release/libmq.so /usr/local/lib/redis-mq/libmq.so
# The base image's user (redis or valkey), which owns /data.
USER 999:999
EXPOSE 6379
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["redis-mq-healthy"]
# Replaces the base image's entry point, which would also load the modules bundled with that image.
ENTRYPOINT ["redis-mq-start"]
CMD []
