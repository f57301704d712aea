# The server with the module. Other servers (Debian images with glibc 2.34 or newer) by
# --build-arg SERVER_IMAGE=valkey/valkey:9, for example.
ARG SERVER_IMAGE=redis:8

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN cargo build --release --locked

FROM ${SERVER_IMAGE}
COPY docker/redis.conf /etc/redis-mq.conf
COPY docker/start.sh /usr/local/bin/redis-mq-start
COPY docker/healthy.sh /usr/local/bin/redis-mq-healthy
COPY --from=build /build/target/release/libmq.so /usr/local/lib/redis-mq/libmq.so
# The user of the base image (redis or valkey), who owns /data.
USER 999:999
EXPOSE 6379
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["redis-mq-healthy"]
# Not the base image's entry point: it would also load modules that come with that image.
ENTRYPOINT ["redis-mq-start"]
CMD []
