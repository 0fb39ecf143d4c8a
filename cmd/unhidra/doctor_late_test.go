package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
)

// The doctor reports what is late as the health page does; while the server is stopped, as warnings.
func TestDoctorSaysWhatIsLate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + filepath.Join(dir, "data"), "UNHIDRA_BACKUP=" + dir,
		"UNHIDRA_SERVER_KEY=" + "0123456789abcdefABCDEF0123456789abcdefABCDEF0123",
		"UNHIDRA_SMTP_URL=smtp://127.0.0.1:1", "UNHIDRA_MAIL_FROM=chat@example.org",
		"UNHIDRA_AUDIT_WEBHOOK=https://127.0.0.1:1",
		"UNHIDRA_AUDIT_WEBHOOK_SECRET=" + "ABCDEF0123456789abcdefABCDEF0123456789abcdef"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	db, err := app.OpenStore(t.Context(), c, app.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check := func(running bool) (string, int) {
		var out strings.Builder
		d := &diagnosis{w: &out}
		d.late(t.Context(), c, db, running)
		return out.String(), d.broken
	}
	out, broken := check(true)
	if says(t, out, "ok    queues"); broken > 0 {
		t.Error(out)
	}

	past := time.Now().Add(-time.Hour)
	keys, err := app.Keyring(c)
	if err != nil {
		t.Fatal(err)
	}
	log := app.Audit(db, keys)
	log.Now = func() time.Time { return past }
	if err := log.RecordSync(t.Context(), operatorEvent(domain.AuditVerify)); err != nil {
		t.Fatal(err)
	}
	m := domain.QueuedMail{ID: "mail_1", To: "a@example.org", Template: domain.MailVerifyEmail, Data: []byte("sealed"),
		Created: past, GiveUp: time.Now().Add(time.Hour)}
	if _, err := db.Mails.QueueMail(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "unhidra-20260101T000000Z.tar"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for running, grade := range map[bool]string{true: "FAIL", false: "warn"} {
		out, broken := check(running)
		says(t, out, grade+"  mail          mails are not being delivered",
			grade+"  audit log     the receiver webhook:", grade+"  backup        the last good one is too old")
		if strings.Count(out, "\n") != 3 || (broken == 3) != running {
			t.Errorf("running %v: %d broken:\n%s", running, broken, out)
		}
	}
	c.Backup.Dir = filepath.Join(dir, "not mounted")
	out, broken = check(true)
	says(t, out, "FAIL  queues        there is no folder "+c.Backup.Dir,
		"FAIL  mail          mails are not being delivered", "FAIL  audit log     the receiver webhook:")
	if broken != 3 {
		t.Error(out)
	}
}

// Each of these problems of the health page has a text.
func TestLateText(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"mail_waits", "audit_unsigned", "receiver_late", "receiver_dropped", "backup_late",
		"release_keys_end", "firmware_root_ends", "offer_key_ends"} {
		if what, _ := lateText(domain.HealthProblem{Code: code}); what == "health" {
			t.Errorf("%s has no text", code)
		}
	}
}
