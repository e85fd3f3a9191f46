#!/bin/sh
# Makes sure that the namespace exists and can be used.
set -eu

try() { # try NAME COMMAND... : run the command until it works, for a minute
  what=$1
  shift
  for _ in $(seq 30); do
    if "$@" >/tmp/out 2>&1; then
      return
    fi
    echo "waiting for $what"
    sleep 2
  done
  cat /tmp/out >&2
  exit 1
}

try "Temporal" temporal operator cluster health
if ! temporal operator namespace describe --namespace default >/dev/null 2>&1; then
  # How long closed handoffs stay in Temporal's UI. Baton's own record is kept
  # in PostgreSQL.
  temporal operator namespace create --namespace default --retention 720h
fi
# A new namespace reaches all parts of the server with a delay.
try "the namespace" temporal operator search-attribute list --namespace default
echo "the namespace default is ready"
