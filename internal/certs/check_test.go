package certs

import (
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

func TestCheck(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	now := time.Now()
	for _, c := range []struct {
		name   string
		life   time.Duration
		host   string
		of     *tlstest.Authority
		chain  bool
		broken bool
		want   string
	}{
		{"good", 1000 * time.Hour, "chat.example.org", ca, false, false, "is good for"},
		{"soon", 100 * time.Hour, "chat.example.org", ca, false, false, "which is soon"},
		{"over", -time.Hour, "chat.example.org", ca, false, true, "ended on"},
		{"name", 1000 * time.Hour, "example.net", ca, false, true, "people ask for example.net"},
		{"no chain", 1000 * time.Hour, "", other, false, true, "has no chain"},
		{"unknown", 1000 * time.Hour, "", other, true, true, "does not trust"},
	} {
		b, _ := c.of.Issue(c.life, "chat.example.org")
		if c.chain {
			b = append(b, c.of.PEM...)
		}
		got := Check(b, c.host, ca.Client().RootCAs, now)
		if got.Broken != c.broken || !strings.Contains(got.Text, c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := Check([]byte("x"), "", nil, now); !got.Broken || got.Leaf != nil {
		t.Errorf("%+v", got)
	}
}
