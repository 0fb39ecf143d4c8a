package config

import (
	"errors"
	"time"
)

// Backup says where the server writes backups of itself, and how often.
type Backup struct {
	Dir       string // empty: nowhere
	Every     time.Duration
	Keep      int    // how many are kept
	Recipient string // public key of age; empty: they are not encrypted
}

// complete checks what the settings say together with the database.
func (b Backup) complete(postgres bool) error {
	switch {
	case b.Dir != "" && postgres:
		return errors.New("UNHIDRA_BACKUP is for SQLite; back PostgreSQL up by its own means, " +
			"which docs/operations.md describes, and leave it out")
	case b.Dir == "" && b.Recipient != "":
		return errors.New("UNHIDRA_BACKUP_RECIPIENT is of no backup: set UNHIDRA_BACKUP")
	}
	return nil
}
