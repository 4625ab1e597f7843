-- SPDX-License-Identifier: Apache-2.0

-- +goose Up
CREATE TABLE tapswitch_journal (
	first    bigint PRIMARY KEY,
	last     bigint NOT NULL,
	reserved bigint NOT NULL,
	chain    bytea  NOT NULL,
	body     bytea  NOT NULL
);

-- Bodies are small and do not shrink: they are stored as they are.
ALTER TABLE tapswitch_journal ALTER COLUMN body SET STORAGE EXTERNAL;

COMMENT ON TABLE tapswitch_journal IS 'the durable memory of a switch, a row for each batch; written by tapswitch alone';

CREATE TABLE tapswitch_journal_state (
	single   boolean PRIMARY KEY CHECK (single),
	identity bytea  NOT NULL,
	epoch    bigint NOT NULL,
	writer   bytea  NOT NULL,
	last     bigint NOT NULL,
	chain    bytea  NOT NULL
);

COMMENT ON TABLE tapswitch_journal_state IS 'who writes the journal, and where it ends';

-- +goose Down
DROP TABLE tapswitch_journal_state;
DROP TABLE tapswitch_journal;
