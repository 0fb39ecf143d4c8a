package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// S3 is a bucket of an S3-compatible service, for files or for backups.
type S3 struct {
	Endpoint string // URL of the service; empty: no bucket
	Bucket   string
	Prefix   string // of all names, without a slash at the end; may be empty
	Region   string
	Key      string
	Secret   Secret
}

// Enabled reports whether there is a bucket.
func (s S3) Enabled() bool { return s.Endpoint != "" }

// URL returns the URL of the bucket and its prefix, without a slash at the end.
func (s S3) URL() string { return strings.TrimSuffix(s.Endpoint+"/"+s.Bucket+"/"+s.Prefix, "/") }

// complete checks what the settings of S3 say together.
func (s S3) complete() error {
	switch {
	case s.Enabled() && (s.Key == "" || s.Secret == ""):
		return errors.New("UNHIDRA_S3_URL needs UNHIDRA_S3_KEY and UNHIDRA_S3_SECRET, which the service gives")
	case !s.Enabled() && (s.Key != "" || s.Secret != ""):
		return errors.New("UNHIDRA_S3_KEY and UNHIDRA_S3_SECRET are of no bucket: set UNHIDRA_S3_URL")
	}
	return nil
}

// LinksS3 as FirmwareLinks has devices load firmware from the bucket of files.
const LinksS3 = "s3"

// links reads where devices load firmware from.
func links(p *string) func(string) error {
	return func(s string) error {
		*p = strings.TrimSuffix(s, "/")
		if s == "" || s == LinksS3 {
			return nil
		}
		u, err := url.Parse(*p)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" ||
			u.Fragment != "" {
			return errors.New("is the URL of a CDN, such as https://cdn.example.org, or s3, or empty")
		}
		return nil
	}
}

// completeLinks refuses links to a bucket that there is not.
func (c Config) completeLinks() error {
	if c.FirmwareLinks == LinksS3 && !c.S3.Enabled() {
		return errors.New("UNHIDRA_FIRMWARE_LINKS=s3 needs UNHIDRA_S3_URL: files are in no bucket")
	}
	return nil
}

// Files returns the folder of files, which counts only on SQLite and without S3.
func (c Config) Files() string { return filepath.Join(c.DataDir, "files") }

// Incoming returns the folder in which files lie while they arrive: on the disk of Files,
// and not within it.
func (c Config) Incoming() string { return filepath.Join(c.DataDir, "incoming") }

const s3Form = "is not of the form https://s3.example.org/bucket, or https://s3.example.org/bucket/prefix"

// bucket reads the service, the bucket and the prefix from one URL.
func bucket(p *S3) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		// The parser's error would repeat the value, which may have a password.
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" ||
			u.Fragment != "" {
			return errors.New(s3Form)
		}
		if u.User != nil {
			return errors.New("has a user; write the key to UNHIDRA_S3_KEY and UNHIDRA_S3_SECRET, " +
				"that of backups to UNHIDRA_BACKUP_S3_KEY and UNHIDRA_BACKUP_S3_SECRET")
		}
		p.Bucket, p.Prefix, _ = strings.Cut(strings.Trim(u.Path, "/"), "/")
		if p.Bucket == "" {
			return errors.New(s3Form)
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return errors.New("would send all data for all to read; use https")
		}
		p.Endpoint = u.Scheme + "://" + u.Host
		return nil
	}
}
