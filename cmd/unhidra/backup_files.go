package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/config"
)

// reportLost prints how many files a backup lacks, and where they are; nothing if it lacks none.
func reportLost(w io.Writer, lost int, where string) error {
	if lost == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "Not in the backup: %s that the database refers to, %s.\n", count(lost, "file"), where)
	return err
}

// lostHere says where the files are that a backup of this server lacks.
func lostHere(c config.Config) string {
	if c.S3.Enabled() {
		return "kept in the bucket of UNHIDRA_S3_URL; copy the bucket with its own tools"
	}
	return "missing or damaged on this machine's disk; run unhidra doctor for details"
}

// lostThen says where the files were that a backup lacks, as its manifest tells.
func lostThen(m backup.Manifest) string {
	switch {
	case m.Bucket:
		return "kept in a bucket (UNHIDRA_S3_URL); copy the bucket with its own tools"
	case m.Contents != nil:
		return "missing or damaged on the server when the backup was made"
	}
	return "kept in a bucket (UNHIDRA_S3_URL), or missing when the backup was made"
}

// reportFiles prints, after a restore, which files the backup lacked, and that its files must be
// copied to the bucket if the server has one.
func (e *env) reportFiles(c config.Config, r backup.Report) error {
	if err := reportLost(e.stdout, r.Lost, lostThen(r.Manifest)); err != nil {
		return err
	}
	if !r.HasFiles() || !c.S3.Enabled() {
		return nil
	}
	_, err := fmt.Fprintf(e.stdout, "Copy what is in %s to the bucket of UNHIDRA_S3_URL, under the same names.\n",
		c.Files())
	return err
}

// replaceFiles moves the folder of files away, if it has any, with suffix added to its name, and
// puts the backup's folder in its place.
func (e *env) replaceFiles(to, from, suffix string) error {
	if entries, err := os.ReadDir(to); err == nil && len(entries) > 0 {
		if err := os.Rename(to, to+suffix); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(e.stdout, "The previous files are now in %s\n", to+suffix); err != nil {
			return err
		}
	}
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if err := os.Rename(from, to); err == nil {
		return nil
	}
	return os.CopyFS(to, os.DirFS(from)) // they are on different disks
}
