package config

import (
	"strings"
	"testing"
)

func TestBackupsGoToAFolderOrToABucket(t *testing.T) {
	t.Parallel()
	const (
		own   = " UNHIDRA_BACKUP_S3_KEY=k UNHIDRA_BACKUP_S3_SECRET=s"
		files = " UNHIDRA_S3_KEY=fk UNHIDRA_S3_SECRET=fs"
	)
	for settings, want := range map[string]S3{
		"UNHIDRA_BACKUP=/backups": {},
		"UNHIDRA_BACKUP=https://s3.example.org/b/p/" + own: {Endpoint: "https://s3.example.org", Bucket: "b", Prefix: "p",
			Key: "k"},
		"UNHIDRA_BACKUP=https://s3/b UNHIDRA_S3_URL=https://s3/f" + files: {Endpoint: "https://s3", Bucket: "b", Key: "fk"},
		"UNHIDRA_BACKUP=https://s3/f/b UNHIDRA_S3_URL=https://s3/f/a" + files: {Endpoint: "https://s3", Bucket: "f",
			Prefix: "b", Key: "fk"},
		"UNHIDRA_BACKUP=https://s3/b UNHIDRA_S3_URL=https://s3/f" + own + files: {Endpoint: "https://s3", Bucket: "b",
			Key: "k"},
	} {
		c, err := Load(strings.Fields(settings), nil)
		got := c.Backup.S3
		got.Region, got.Secret = "", ""
		if err != nil || got != want || (c.Backup.Dir == "/backups") == want.Enabled() {
			t.Errorf("%s: %q, %+v, %v", settings, c.Backup.Dir, got, err)
		}
	}
	for settings, says := range map[string]string{
		"UNHIDRA_BACKUP=https://s3/b":                                             "needs UNHIDRA_BACKUP_S3_KEY",
		"UNHIDRA_BACKUP=https://s3/b UNHIDRA_S3_URL=https://t/f" + files:          "needs UNHIDRA_BACKUP_S3_KEY",
		"UNHIDRA_BACKUP=https://s3/f/b UNHIDRA_S3_URL=https://s3/f" + own + files: "taken for files",
		"UNHIDRA_BACKUP=https://s3/f UNHIDRA_S3_URL=https://s3/f" + own + files:   "taken for files",
		"UNHIDRA_BACKUP=s3://b" + own:                                             "of the form",
		"UNHIDRA_BACKUP=https://s3/b DATABASE_URL=postgres://h/d" + own:           "for SQLite",
		"UNHIDRA_BACKUP_RECIPIENT=age1x" + own:                                    "set UNHIDRA_BACKUP",
	} {
		if _, err := Load(strings.Fields(settings), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q, got %v", settings, says, err)
		}
	}
}

func TestABackupIsNamedByItsURL(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"UNHIDRA_BACKUP_S3_KEY=k", "UNHIDRA_BACKUP_S3_SECRET=s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string][2]string{
		"https://s3/b/p/q/x.tar": {"https://s3/b/p/q", "x.tar"},
		"https://s3/b/x.tar":     {"https://s3/b", "x.tar"},
		"https://s3/b/p/":        {"https://s3/b/p", ""},
		"https://s3/b/":          {"https://s3/b", ""},
	} {
		s, name, err := c.BackupAt(url)
		if err != nil || s.URL() != want[0] || name != want[1] || s.Key != "k" {
			t.Errorf("%s: %s, %q, %v", url, s.URL(), name, err)
		}
	}
	for _, url := range []string{
		"https://s3/b", "s3://b/x.tar", "https://k:hunter2@s3/b/x.tar", "http://s3.example.org/b/x.tar",
	} {
		if _, _, err := c.BackupAt(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
