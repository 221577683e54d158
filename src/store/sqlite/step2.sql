CREATE TABLE note (
    number INTEGER PRIMARY KEY,
    space  TEXT NOT NULL,
    body   BLOB NOT NULL
) STRICT;
