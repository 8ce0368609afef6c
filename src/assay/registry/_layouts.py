"""Layouts of the registry's file: the tables, and what each older layout lacks of them."""

from __future__ import annotations

VERSION = 8  # of the schema below

# What a file without a graph is found by; layout 1 had no such table.
SHAPES = """
CREATE TABLE shapes (  -- of the models' weights: what parts and files without a graph are found by
    shape TEXT NOT NULL,  -- sorted sizes, as 3x3x16x32
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    coded INTEGER NOT NULL,  -- whether the model has a code; nothing asks for it now
    tensors INTEGER NOT NULL,  -- how many have it
    PRIMARY KEY (shape, coded, model)
) WITHOUT ROWID;
CREATE INDEX shapes_model ON shapes(model);
"""
# What weights are compared by; layout 2 had no such tables.
SKETCHES = """
CREATE TABLE sketches (  -- of the models' weights, made with one of the registry's secret keys
    model INTEGER PRIMARY KEY REFERENCES models(id) ON DELETE CASCADE,
    scheme TEXT NOT NULL,
    body BLOB NOT NULL  -- JSON, zlib
);
CREATE INDEX sketches_scheme ON sketches(scheme);
CREATE TRIGGER sketch_added AFTER INSERT ON sketches
    BEGIN INSERT INTO changes(model, what) VALUES (new.model, 'rehashed'); END;
CREATE TRIGGER sketch_changed AFTER UPDATE ON sketches
    BEGIN INSERT INTO changes(model, what) VALUES (new.model, 'rehashed'); END;
CREATE TABLE files (  -- where models lay when they were added: what is read again
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    path TEXT NOT NULL,  -- whole
    UNIQUE (model, path)
);
CREATE TABLE bases (  -- public ones: what their children share by them is not reviewed
    model INTEGER PRIMARY KEY REFERENCES models(id) ON DELETE CASCADE
);
"""
# What models are found by whose layers have other shapes; layout 3 had no such table.
FRAGMENTS = """
CREATE TABLE fragments (  -- smallest hashes of the models' exact values, made with the sketch's key
    hash INTEGER NOT NULL,
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    PRIMARY KEY (hash, model)
) WITHOUT ROWID;
CREATE INDEX fragments_model ON fragments(model);
"""
# What owners commit to; layout 4 had no such tables.
LOG = """
CREATE TABLE log (  -- only ever appended to
    position INTEGER PRIMARY KEY,  -- from 0 on, without a gap: who is before whom
    commitment TEXT NOT NULL UNIQUE,
    logged TEXT NOT NULL,
    root BLOB NOT NULL,  -- of the tree that ends here …
    signature BLOB NOT NULL  -- … signed with the log's key
);
CREATE TRIGGER log_changed BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is only ever appended to'); END;
CREATE TRIGGER log_removed BEFORE DELETE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is only ever appended to'); END;
CREATE TABLE log_nodes (  -- hashes of complete subtrees, leaves at level 0
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, position)
) WITHOUT ROWID;
CREATE TABLE log_stamps (  -- time stamps of entries
    position INTEGER NOT NULL REFERENCES log(position),
    response BLOB NOT NULL,
    UNIQUE (position, response)
);
"""
# Which models are licensed copies; layout 5 had no such table.
LICENSED = """
CREATE TABLE licensed (
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    licensee TEXT NOT NULL,  -- a name
    key TEXT NOT NULL,  -- public: the licensee's, …
    owner TEXT NOT NULL,  -- … and the owner's, who signed it
    manifest TEXT NOT NULL,  -- SHA-256 of the distributable's
    license TEXT NOT NULL,  -- SHA-256 of the license
    level INTEGER NOT NULL,
    expires TEXT,  -- the last day
    UNIQUE (model, license)
);
CREATE INDEX licensed_manifest ON licensed(manifest);
"""
# What a part of a model is found by; layout 6 had no such table.
PARTS = """
CREATE TABLE parts (  -- codes of the parts of the models' layer graphs
    model INTEGER PRIMARY KEY REFERENCES models(id) ON DELETE CASCADE,
    scheme TEXT NOT NULL,
    count INTEGER NOT NULL,  -- 0 where there are none
    digests BLOB NOT NULL  -- one after the other; which layers each has is read from the graph
);
CREATE INDEX parts_scheme ON parts(scheme);
CREATE TRIGGER parts_added AFTER INSERT ON parts
    BEGIN INSERT INTO changes(model, what) VALUES (new.model, 'rehashed'); END;
CREATE TRIGGER parts_changed AFTER UPDATE ON parts
    BEGIN INSERT INTO changes(model, what) VALUES (new.model, 'rehashed'); END;
"""
# Whose names are whose; layout 7 had no such table.
SIGNERS = """
CREATE TABLE signers (  -- the key that an owner's name stands for: the first that came with it
    name TEXT PRIMARY KEY,
    key TEXT NOT NULL,  -- public
    since TEXT NOT NULL
) WITHOUT ROWID;
"""
# There, a name is its first license's: of a copy that was claimed under this name before others.
OF_LICENSES = """
INSERT INTO signers SELECT name, key, since FROM (
    SELECT claims.owner AS name, licensed.owner AS key, claimed AS since, min(licensed.rowid)
    FROM licensed JOIN claims ON claims.id = (SELECT min(first.id) FROM claims AS first
        WHERE first.model = licensed.model AND first.owner IS NOT NULL)
    GROUP BY claims.owner);
"""
# What each layout lacks.
UPGRADES = {
    1: SHAPES, 2: SKETCHES, 3: FRAGMENTS, 4: LOG, 5: LICENSED, 6: PARTS, 7: SIGNERS + OF_LICENSES
}  # fmt: skip

# Triggers write the log of changes, so that no writer can forget to.  A change's token tells this
# log from another that grew to the same length: a registry put back from a backup, then added to.
OLDEST = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: indexes and snapshots hold it
    sha256 TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    format TEXT NOT NULL,
    parameters NOT NULL,  -- to filter by; beyond 64 bits a float
    body TEXT NOT NULL,  -- the rest of the record as JSON
    scheme TEXT,
    digest BLOB,
    rules TEXT,  -- of the graph
    graph BLOB,  -- JSON, zlib; last, so that a scan for anything else skips its pages
    CHECK ((scheme IS NULL) = (digest IS NULL)),
    CHECK ((rules IS NULL) = (graph IS NULL))
);
CREATE INDEX models_name ON models(name);
CREATE INDEX models_path ON models(path);
CREATE INDEX models_format ON models(format);
CREATE INDEX models_parameters ON models(parameters);
CREATE INDEX models_code ON models(scheme, digest);
CREATE TABLE claims (
    id INTEGER PRIMARY KEY,  -- in the order of claiming: the first is the owner's
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    owner TEXT,  -- NULL: added by nobody in particular
    path TEXT NOT NULL,  -- as it was added
    name TEXT NOT NULL,
    claimed TEXT NOT NULL
);
CREATE UNIQUE INDEX claims_once ON claims(model, ifnull(owner, ''), path);
CREATE INDEX claims_path ON claims(path);
CREATE INDEX claims_name ON claims(name);
CREATE INDEX claims_owner ON claims(owner);
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    model INTEGER NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('added', 'removed', 'rehashed')),
    token BLOB NOT NULL DEFAULT (randomblob(8))
);
CREATE TRIGGER model_added AFTER INSERT ON models
    BEGIN INSERT INTO changes(model, what) VALUES (new.id, 'added'); END;
CREATE TRIGGER model_removed AFTER DELETE ON models
    BEGIN INSERT INTO changes(model, what) VALUES (old.id, 'removed'); END;
CREATE TRIGGER model_rehashed AFTER UPDATE OF scheme, digest ON models
    BEGIN INSERT INTO changes(model, what) VALUES (new.id, 'rehashed'); END;
INSERT INTO settings VALUES ('id', lower(hex(randomblob(16)))), ('snapshot', 0);
"""
SCHEMA = OLDEST + SHAPES + SKETCHES + FRAGMENTS + LOG + LICENSED + PARTS + SIGNERS
