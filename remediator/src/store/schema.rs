//! The tables, and the numbers in the file's header that say whose and which version they are.

/// `PRAGMA application_id`: "VCMR". A database with another one is not ours.
pub(super) const APPLICATION_ID: i32 = 0x5643_4D52;

/// `PRAGMA user_version`: the version of the tables that this build writes and reads.
pub(super) const SCHEMA_VERSION: i32 = 3;

/// Settings of the connection. FULL: a commit that returned survives a power cut. Nobody else
/// writes; a tool that copies the file may hold its lock for a moment, hence 250 ms of patience.
pub(super) const CONNECTION: &str = "
PRAGMA busy_timeout = 250;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
";

/// The tables of version 3.
///
/// - `meta`: `alive` is the newest instant at which the program is known to have run, to a minute.
/// - `events` is append-only and for ever; `hash` chains each row to all before it. Those without a
///   host are the fleet's.
/// - `facts` is the join of what was delivered, by host and fingerprint; `lowered` is the tier of
///   the label `recovery_tier`. What a fact permits is for the policy of the day.
/// - `attempts` and `attempt_hsms` mirror the intents and outcomes in `events` so that budgets are
///   counted by an index; one that is `released` no longer counts for the fleet.
/// - `evidence` holds the observations that decisions were made on.
pub(super) const TABLES: &str = "
CREATE TABLE meta (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    store_id TEXT NOT NULL,
    epoch    INTEGER NOT NULL,
    alive    INTEGER
) STRICT;

CREATE TABLE events (
    seq           INTEGER PRIMARY KEY,
    schema        INTEGER NOT NULL,
    time          INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    host          TEXT,
    target_host   TEXT,
    target_module INTEGER,
    incident      TEXT,
    kind          TEXT NOT NULL,
    body          TEXT NOT NULL,
    hash          BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE facts (
    host                 TEXT NOT NULL,
    fingerprint          TEXT NOT NULL,
    name                 TEXT NOT NULL,
    module               INTEGER,
    lowered              TEXT,
    newest_start         INTEGER,
    newest_end           INTEGER,
    last_firing_delivery INTEGER,
    last_seen            INTEGER NOT NULL,
    PRIMARY KEY (host, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_by_age ON facts (last_seen);

CREATE TABLE attempts (
    attempt  TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL UNIQUE REFERENCES events (seq),
    host     TEXT NOT NULL,
    rung     TEXT NOT NULL,
    outcome  TEXT,
    released INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_unsettled ON attempts (host, rung)
    WHERE outcome IS NULL OR outcome = 'unknown';

CREATE TABLE attempt_hsms (
    attempt TEXT NOT NULL REFERENCES attempts (attempt),
    hsm     TEXT NOT NULL,
    PRIMARY KEY (attempt, hsm)
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence (
    observation TEXT PRIMARY KEY,
    host        TEXT NOT NULL,
    time        INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_by_age ON evidence (time);
";

/// From version 1: events of the fleet, and the fleet's share of an attempt. The rows stay as they
/// are, and with them the chain.
pub(super) const FROM_VERSION_1: &str = "
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE events_2 (
    seq           INTEGER PRIMARY KEY,
    schema        INTEGER NOT NULL,
    time          INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    host          TEXT,
    target_host   TEXT,
    target_module INTEGER,
    incident      TEXT,
    kind          TEXT NOT NULL,
    body          TEXT NOT NULL,
    hash          BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO events_2 SELECT seq, schema, time, epoch, host, target_host, target_module, incident,
                            kind, body, hash FROM events;
DROP TABLE events;
ALTER TABLE events_2 RENAME TO events;
ALTER TABLE attempts ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
COMMIT;
";

/// From version 2: until when the program ran.
pub(super) const FROM_VERSION_2: &str = "
BEGIN;
ALTER TABLE meta ADD COLUMN alive INTEGER;
PRAGMA user_version = 3;
COMMIT;
";
