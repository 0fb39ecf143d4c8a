package main

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
)

func TestDoctorSignsInToTheMailServer(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{Clear: true, Auth: "LOGIN"})
	refused := strings.Replace(server.URL, mailtest.Password, "wrong-canary", 1)
	for want, url := range map[string]string{
		"ok    mail          the mail server accepts the login": server.URL,
		"FAIL  mail          mails are queued until":            refused,
		"reach the mail server":                                 "smtp://127.0.0.1:1",
		"warn  mail          there is no mail server":           "",
		"warn  mail          the links in mails lead to":        server.URL,
	} {
		env := []string{"UNHIDRA_SMTP_URL=" + url, "UNHIDRA_MAIL_FROM=chat@example.org"}
		if url == "" {
			env = nil
		}
		c, err := config.Load(env, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		d := &diagnosis{w: &out}
		d.mail(t.Context(), c)
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "canary") {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
		if (d.broken > 0) != strings.Contains(out.String(), "FAIL") {
			t.Errorf("%d broken:\n%s", d.broken, out.String())
		}
	}
	if len(server.Mails()) != 0 {
		t.Error("the doctor sends mails")
	}
}
