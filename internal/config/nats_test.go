package config

import (
	"strings"
	"testing"
)

func TestNATS(t *testing.T) {
	c, err := Load([]string{"DATABASE_URL=postgres://db/x",
		"NATS_URL=nats://me:s3cret@a:4222, tls://b:4222?ca=/ca.pem&cert=/c.pem&key=/k.pem, c4:1,"}, nil)
	if err == nil {
		t.Errorf("a server without a scheme is no complaint: %+v", c.NATS)
	} else if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the complaint repeats the password: %v", err)
	}
	c, err = Load([]string{"DATABASE_URL=postgres://db/x",
		"NATS_URL=nats://me:s3cret@a:4222, tls://b:4222?ca=/ca.pem&cert=/c.pem&key=/k.pem"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.NATS.Servers.Reveal(), "nats://me:s3cret@a:4222,tls://b:4222"; got != want {
		t.Errorf("servers %q, want %q", got, want)
	}
	if c.NATS.CA != "/ca.pem" || c.NATS.Cert != "/c.pem" || c.NATS.Key != "/k.pem" {
		t.Errorf("files: %+v", c.NATS)
	}
	for _, bad := range []string{"nats://", "http://a", "nats://a/x", "nats://a?tls=1", "nats://a?cert=/c.pem"} {
		if _, err := Load([]string{"DATABASE_URL=postgres://db/x", "NATS_URL=" + bad}, nil); err == nil ||
			!strings.Contains(err.Error(), "NATS_URL") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := Load([]string{"NATS_URL=nats://a"}, nil); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("several nodes on SQLite: %v", err)
	}
}
