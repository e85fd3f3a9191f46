#!/bin/bash
# Runs once, when the volume is new. Baton and Temporal get a user each, who
# owns their databases, is no superuser, and cannot enter the other's.
set -euo pipefail

psql --no-psqlrc -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv baton POSTGRES_PASSWORD_BATON
\getenv temporal POSTGRES_PASSWORD_TEMPORAL
CREATE ROLE baton LOGIN PASSWORD :'baton';
CREATE ROLE temporal LOGIN PASSWORD :'temporal';

CREATE DATABASE baton OWNER baton;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;

REVOKE ALL ON DATABASE postgres, baton, temporal, temporal_visibility FROM PUBLIC;
SQL
