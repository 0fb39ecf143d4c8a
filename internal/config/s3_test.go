package config

import (
	"strings"
	"testing"
)

func TestABucketIsNamedByAURL(t *testing.T) {
	t.Parallel()
	load := func(url, key, secret string) (S3, error) {
		c, err := Load([]string{"UNHIDRA_S3_URL=" + url, "UNHIDRA_S3_KEY=" + key, "UNHIDRA_S3_SECRET=" + secret}, nil)
		return c.S3, err
	}
	for url, want := range map[string]S3{
		"https://s3.example.org/files":           {Endpoint: "https://s3.example.org", Bucket: "files"},
		"https://s3.example.org:9000/files/a/b/": {Endpoint: "https://s3.example.org:9000", Bucket: "files", Prefix: "a/b"},
		"http://127.0.0.1:9000/files/":           {Endpoint: "http://127.0.0.1:9000", Bucket: "files"},
	} {
		want.Region, want.Key, want.Secret = "us-east-1", "k", "s"
		if got, err := load(url, "k", "s"); err != nil || got != want {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	for name, of := range map[string][3]string{
		"UNHIDRA_S3_URL": {"s3.example.org/files", "k", "s"}, "of the form": {"https://s3.example.org/", "k", "s"},
		"use https":            {"http://s3.example.org/files", "k", "s"},
		"has a user":           {"https://k:hunter2@s3.example.org/files", "k", "s"},
		"needs UNHIDRA_S3_KEY": {"https://s3.example.org/files", "k", ""}, "set UNHIDRA_S3_URL": {"", "k", "s"},
	} {
		if _, err := load(of[0], of[1], of[2]); err == nil || !strings.Contains(err.Error(), name) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v; want %q", of, err, name)
		}
	}
}
