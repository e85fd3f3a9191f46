#!/bin/sh
# Brings Temporal's two databases to the schema of this version of Temporal.
# They exist already (deploy/postgres/init.sh); the SQL_* variables say where.
set -eu

for database in temporal visibility; do
  case $database in
    temporal) name=temporal ;;
    visibility) name=temporal_visibility ;;
  esac
  # Does nothing when the database has a version already.
  temporal-sql-tool --db "$name" setup-schema --version 0.0
  temporal-sql-tool --db "$name" update-schema --schema-name "postgresql/v12/$database"
done
