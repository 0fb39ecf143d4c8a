package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
)

// hasher hashes as the server does, but does not mind waiting beside other tests.
// cheap makes records that cost nothing to make and compare. Those of other systems are
// compared as they are.
type cheap struct{ *password.Hasher }

func hasher() cheap { return cheap{password.New(password.Options{Wait: time.Minute})} }

func (cheap) Hash(_ context.Context, pass string, _ password.Trust) (string, error) {
	return "cheap " + pass, nil
}

func (c cheap) Verify(ctx context.Context, record, pass string, who password.Trust) (ok, stale bool, err error) {
	if record == "" || strings.HasPrefix(record, "cheap ") {
		return record == "cheap "+pass, false, nil
	}
	return c.Hasher.Verify(ctx, record, pass, who)
}

// mails keeps what would be sent.
type mails struct {
	mu   sync.Mutex
	sent []domain.Mail
}

func (m *mails) Queue(_ context.Context, v domain.Mail) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, v)
	return nil
}

// mailed does what was left for later and returns the mails since the last call.
func (f *fixture) mailed(t *testing.T) []domain.Mail {
	t.Helper()
	f.finish(t)
	f.mails.mu.Lock()
	defer f.mails.mu.Unlock()
	sent := f.mails.sent
	f.mails.sent = nil
	return sent
}

// oneMail returns the only mail since the last call, and the secret of its link.
func (f *fixture) oneMail(t *testing.T, want domain.MailTemplate) (domain.Mail, string) {
	t.Helper()
	sent := f.mailed(t)
	if len(sent) != 1 || sent[0].Template != want {
		t.Fatalf("mails %+v, want one %s", sent, want)
	}
	_, secret, _ := strings.Cut(sent[0].Data.Link, "#token=")
	return sent[0], secret
}

// finish does what is to follow the answers so far.
func (f *fixture) finish(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // Work does what waits, and ends
	f.Work(ctx)
}
