-- SPDX-License-Identifier: MIT
PRAGMA journal_mode = WAL;
CREATE TABLE log (at INTEGER, channel TEXT, value REAL);
CREATE INDEX log_by_channel ON log (channel, at);
CREATE VIEW latest AS SELECT channel, max(at) AS at, value FROM log GROUP BY channel;
