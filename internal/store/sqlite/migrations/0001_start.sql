CREATE TABLE people (
  id            TEXT PRIMARY KEY,
  email         TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  role          TEXT NOT NULL,
  sites         TEXT,
  password_hash TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
  hash       BLOB PRIMARY KEY,
  person     TEXT NOT NULL REFERENCES people(id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  user_agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_person ON sessions(person);
CREATE INDEX sessions_expires ON sessions(expires_at);

CREATE TABLE keys (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE,
  hint       TEXT NOT NULL,
  scopes     TEXT NOT NULL,
  sites      TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE write_keys (
  id         TEXT PRIMARY KEY,
  site       TEXT NOT NULL,
  key        TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX write_keys_site ON write_keys(site, id);

CREATE TABLE views (
  id         TEXT PRIMARY KEY,
  site       TEXT NOT NULL,
  owner      TEXT NOT NULL,
  name       TEXT NOT NULL,
  shared     INTEGER NOT NULL,
  state      TEXT NOT NULL,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX views_site ON views(site, id);

CREATE TABLE replies (
  key         BLOB PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  done        INTEGER NOT NULL,
  sealed      BLOB,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX replies_expires ON replies(expires_at);

CREATE TABLE setup_token (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  hash       BLOB NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;
