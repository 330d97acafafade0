# One binary on a small Debian. Built from the sources beside this file.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY lua lua
COPY migrations migrations
COPY web web
# Of tests and benches, which the manifest names too, cargo asks nothing for this.
RUN cargo build --release --locked --bin holdfast

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home holdfast
# Whom to trust: without these Stripe cannot be called, and the small Debian has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/holdfast /usr/local/bin/holdfast
USER holdfast
# Outside of a container only this machine is let in; here the published port decides.
ENV LISTEN_ADDR=0.0.0.0:8080
EXPOSE 8080
# In bash, because the small Debian has no curl. Alive, not ready: a restart does not bring Redis back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.1 200' <&3"]
ENTRYPOINT ["holdfast"]
CMD ["serve"]
