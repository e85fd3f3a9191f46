# The image of Baton: one static binary, the certificates of the public
# authorities, and a user that is not root. There is no shell in it.
#
#   docker build -t baton --build-arg VERSION="$(git describe --tags --always)" .
#
# The same sources, VERSION and base image give the same binary, byte for byte.
# For the same image as well, let BuildKit set all times to that of the commit:
#
#   docker buildx build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" \
#     --output type=docker,name=baton,rewrite-timestamp=true .

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly

# A layer of its own, so that only another go.mod or go.sum fetches modules anew.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION=dev
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS="$TARGETOS" GOARCH="$TARGETARCH" go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X main.version=$VERSION" -o /image/baton ./cmd/baton
# Baton needs no user of the system; the names are for people who look.
RUN install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt && \
    echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >/image/etc/passwd && \
    echo 'nonroot:x:65532:' >/image/etc/group && \
    find /image -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 8080
# No HEALTHCHECK: one image is the API, the worker and the migration, each with
# a health of its own. docker-compose.yml and Kubernetes say how to ask.
ENTRYPOINT ["/baton"]

ARG VERSION=dev
LABEL org.opencontainers.image.title="Baton" \
      org.opencontainers.image.description="Escalation handoff for managed service providers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
