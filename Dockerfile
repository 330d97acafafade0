# One binary on a small Debian. Built from the sources beside this file.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY lua lua
COPY migrations migrations
COPY web web
# The tests are not part of the image, but their manifest entry wants a file to be there.
RUN mkdir tests && touch tests/main.rs && cargo build --release --locked --bin holdfast

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home holdfast
COPY --from=build /src/target/release/holdfast /usr/local/bin/holdfast
USER holdfast
EXPOSE 8080
ENTRYPOINT ["holdfast"]
CMD ["serve"]
