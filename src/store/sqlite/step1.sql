CREATE TABLE document (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    space TEXT    NOT NULL,
    key   BLOB    NOT NULL,
    stamp INTEGER NOT NULL,
    body  BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX document_by_key ON document (space, key);

CREATE TABLE field (
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    value    BLOB    NOT NULL,
    PRIMARY KEY (document, name, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX field_by_value ON field (name, value);

CREATE TABLE link (
    document INTEGER NOT NULL REFERENCES document ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    value    BLOB    NOT NULL,
    PRIMARY KEY (document, name, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_value ON link (name, value);

CREATE TABLE item (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    space    TEXT    NOT NULL,
    resource TEXT    NOT NULL,
    state    INTEGER NOT NULL,
    started  INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    asked_by TEXT    NOT NULL,
    request  TEXT    NOT NULL,
    summary  TEXT    NOT NULL,
    reason   TEXT,
    touches  BLOB    NOT NULL,
    payload  BLOB    NOT NULL
) STRICT;
CREATE INDEX item_by_resource ON item (space, resource);
CREATE INDEX item_by_state ON item (state, space);

CREATE TABLE alias (
    space TEXT NOT NULL,
    given TEXT NOT NULL,
    real  TEXT NOT NULL,
    PRIMARY KEY (space, given)
) STRICT, WITHOUT ROWID;

CREATE TABLE mark (
    space TEXT NOT NULL,
    name  TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    space       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    hash        BLOB    NOT NULL UNIQUE,
    created     INTEGER NOT NULL,
    expires     INTEGER,
    revoked     INTEGER,
    last_used   INTEGER
) STRICT;
