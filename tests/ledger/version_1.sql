-- A ledger as version 1 of the schema wrote it: one alarm pushed, one push open, one event recorded, a lease held.
PRAGMA application_id = 1380142151;
PRAGMA user_version = 1;
CREATE TABLE runs (
  number     INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  plan_id    TEXT NOT NULL,
  command    TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  state      TEXT NOT NULL
) STRICT;
CREATE TABLE journal (
  number   INTEGER PRIMARY KEY,
  step     TEXT NOT NULL CHECK (step IN ('intend', 'settle', 'confirm')),
  run      INTEGER REFERENCES runs,
  at       INTEGER NOT NULL,
  body     TEXT NOT NULL,
  payloads TEXT,
  digest   TEXT,
  CHECK ((step = 'intend') = (run IS NOT NULL AND payloads IS NOT NULL AND digest IS NOT NULL))
) STRICT;
CREATE INDEX journal_of_run ON journal (run) WHERE step = 'intend';
CREATE TABLE operations (
  key          TEXT PRIMARY KEY NOT NULL,
  intent       INTEGER NOT NULL REFERENCES journal,
  position     INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  status       TEXT CHECK (status IN ('done', 'failed', 'unknown')),
  ended_at     INTEGER,
  confirmed_at INTEGER,
  answer       TEXT,
  service_id   TEXT,
  type         TEXT,
  name         TEXT,
  instance     TEXT,
  occurrence   TEXT,
  target       TEXT
) STRICT;
CREATE INDEX open_operations ON operations (intent, position) WHERE status IS NULL OR status = 'unknown';
CREATE INDEX recent_operations ON operations (ended_at) WHERE status = 'done' AND confirmed_at IS NULL;
CREATE INDEX recorded_facts ON operations (type, name, instance, occurrence)
  WHERE status = 'done' AND occurrence IS NOT NULL;
CREATE INDEX cleared_targets ON operations (ended_at, target) WHERE status = 'done' AND target IS NOT NULL;
CREATE TABLE folded (one INTEGER PRIMARY KEY CHECK (one = 1), journal INTEGER NOT NULL) STRICT;
INSERT INTO folded VALUES (1, 0);
CREATE TABLE lease (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  fence       INTEGER NOT NULL,
  owner       TEXT,
  host        TEXT,
  pid         INTEGER,
  acquired_at INTEGER,
  expires_at  INTEGER
) STRICT;
INSERT INTO lease VALUES (1, 4, 'ci', 'runner-1', 77, 1767225600000, 1767225660000);
INSERT INTO runs VALUES (1, 'run-1', 'plan-1', 'apply', 1767225600000, NULL, 'running');
INSERT INTO journal VALUES (1, 'intend', 1, 1767225600000,
  '{"key":["a","b","c"],"address":[["aom_alarm","cpu","a"],["aom_alarm","cpu","b"],["ces_event","release",null]],"provider":["aom","aom","ces"],"verb":["push"],"digest":["digest-a","digest-b","digest-c"],"occurrence":[null,null,"v1"],"target":[null],"after":[null],"unless_refreshed":[false],"send_by":[null],"marks":[[2,["ces_event","release",null],"v1",null]]}',
  '{"event":"a"}' || char(30) || '{"event":"b"}' || char(30) || '{"event":"c"}',
  'fb7270c3533479665a28b152c38e410fc5bd663719bf0d4762795d12f7285cac');
INSERT INTO journal VALUES (2, 'settle', NULL, 1767225600005, '{"done":["a"],"told":[["c","done",null,"svc-3"]]}', NULL, NULL);
