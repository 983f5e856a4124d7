# Ouzel as an image: built with the Rust toolchain, run with nothing but the C library.

ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
# What librdkafka and the vendored OpenSSL are built with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ gcc libc6-dev make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# `--version`, alerts and metrics name the commit; the build context has no history to ask.
ARG OUZEL_COMMIT=unknown
ENV OUZEL_COMMIT=${OUZEL_COMMIT}
RUN cargo build --release --locked --bin ouzel

# No shell, no package manager; the user is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/ouzel /usr/local/bin/ouzel
# Every key with its default; change them by environment (OUZEL__SECTION__KEY) or mount another file.
COPY config/ouzel.toml /etc/ouzel/ouzel.toml
# In a container, loopback would be reachable by nobody.
ENV OUZEL__HTTP__LISTEN=0.0.0.0:9847
EXPOSE 9847
ENTRYPOINT ["/usr/local/bin/ouzel"]
CMD ["run", "-c", "/etc/ouzel/ouzel.toml"]
