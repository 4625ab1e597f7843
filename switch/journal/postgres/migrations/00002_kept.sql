-- SPDX-License-Identifier: Apache-2.0

-- +goose Up
CREATE TABLE tapswitch_journal_kept (
	purge bytea  NOT NULL,
	place bigint NOT NULL,
	chain bytea  NOT NULL,
	body  bytea  NOT NULL,
	PRIMARY KEY (purge, place)
);

ALTER TABLE tapswitch_journal_kept ALTER COLUMN body SET STORAGE EXTERNAL;

COMMENT ON TABLE tapswitch_journal_kept IS 'records that outlived their rows; only those of the purge that the state names count';

-- Without a purge the rows begin with record 1.
ALTER TABLE tapswitch_journal_state
	ADD COLUMN kept_purge    bytea  NOT NULL DEFAULT '',
	ADD COLUMN kept_through  bigint NOT NULL DEFAULT 0,
	ADD COLUMN kept_chain    bytea  NOT NULL DEFAULT '',
	ADD COLUMN kept_reserved bigint NOT NULL DEFAULT 0,
	ADD COLUMN kept_end      bytea  NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tapswitch_journal_state
	DROP COLUMN kept_purge, DROP COLUMN kept_through, DROP COLUMN kept_chain, DROP COLUMN kept_reserved, DROP COLUMN kept_end;
DROP TABLE tapswitch_journal_kept;
