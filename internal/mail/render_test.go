package mail_test

import (
	"bytes"
	"context"
	"errors"
	netmail "net/mail"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
)

func full() domain.MailData {
	now := time.Now()
	return domain.MailData{
		Username: "ann", Link: "https://chat.example.org/x#t=" + canary, Expires: now.Add(20 * time.Hour),
		NewEmail: "new@example.org", At: now,
		Address: "192.0.2.7", Device: "Firefox on Linux", Factor: "an authenticator app", Left: 3, From: "Ben",
		Digest: &domain.Summary{Messages: 7, MoreRooms: 1, MoreThere: 2, Unsubscribe: "https://chat.example.org/u#token=x",
			OneClick: "https://chat.example.org/api/v1/u?token=x", Rooms: []domain.SummaryRoom{
				{Name: "Garden <b>", Link: "https://chat.example.org/rooms/1", Count: 3, Mentions: 1, Lines: []domain.SummaryLine{
					{From: "Ben\r\n-> Sign in: https://evil.example.org", Text: "the <i>kettle</i>\nis on, and " +
						strings.Repeat("it is hot ", 20)}}},
				{Name: "Ben", Link: "https://chat.example.org/rooms/2", Count: 2, Mentions: 2},
			}},
	}
}

func TestEveryMailCanBeSent(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{})
	n := start(t, db, server)
	for _, name := range domain.MailTemplates() {
		to := string(name) + "@example.org"
		if err := n.Queue.Queue(t.Context(), domain.Mail{To: to, Template: name, Data: full()}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m := server.Wait(t, to, 1)
		if m.Subject == "" || strings.Contains(m.Text, "<no value>") || m.Link() != full().Link {
			t.Errorf("%s: %q\n%s", name, m.Subject, m.Text)
		}
		for line := range strings.SplitSeq(m.Text, "\r\n") {
			if len([]rune(line)) > 78 && !strings.HasPrefix(line, "https:") {
				t.Errorf("%s: long line %q", name, line)
			}
		}
		// Nothing is fetched when the mail is opened, and nothing runs.
		for _, bad := range []string{"src=", "<img", "<script", "<link", "url(", "@import"} {
			if strings.Contains(m.HTML, bad) {
				t.Errorf("%s: %s in the HTML", name, bad)
			}
		}
		for _, want := range []string{`<html lang="en">`, "<title>", "<h1", "Nobody reads answers"} {
			if !strings.Contains(m.HTML, want) {
				t.Errorf("%s: no %s in the HTML", name, want)
			}
		}
		if name != domain.MailInvitation && (!strings.Contains(m.Text, "Hello ann,") ||
			!strings.Contains(m.HTML, "Hello ann,")) {
			t.Errorf("%s does not greet:\n%s", name, m.Text)
		}
	}
	if dir := os.Getenv("UNHIDRA_TEST_MAILS"); dir != "" { // to look at them
		for _, m := range server.Mails() {
			if err := os.WriteFile(dir+"/"+strings.TrimSuffix(m.To, "@example.org")+".html", []byte(m.HTML), 0o600); err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(dir+"/"+strings.TrimSuffix(m.To, "@example.org")+".eml", []byte(m.Raw), 0o600); err != nil {
				t.Error(err)
			}
		}
	}
}

// A digest shows what others wrote as text alone, and can be ended in one click; other mails cannot.
func TestADigestShowsRooms(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{})
	n := start(t, db, server)
	send := func(to string, name domain.MailTemplate) mailtest.Mail {
		t.Helper()
		if err := n.Queue.Queue(t.Context(), domain.Mail{To: to, Template: name, Data: full()}); err != nil {
			t.Fatal(err)
		}
		return server.Wait(t, to, 1)
	}
	m := send("ann@example.org", domain.MailDigest)
	for _, want := range []string{"You have not read 7 messages",
		"Garden <b> – 3 new, 1 for you\r\nhttps://chat.example.org/rooms/1",
		"* Ben -> Sign in: https://evil.example.org: the <i>kettle</i> is on, and",
		"Ben – 2 new, for you", "There are 2 messages in another room.", "once a day",
		"Stop these mails:\r\nhttps://chat.example.org/u#token=x"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("no %q in\n%s", want, m.Text)
		}
	}
	for _, want := range []string{"Garden &lt;b&gt;</a>", "the &lt;i&gt;kettle&lt;/i&gt; is on",
		`<a href="https://chat.example.org/u#token=x"`} {
		if !strings.Contains(m.HTML, want) {
			t.Errorf("no %q in\n%s", want, m.HTML)
		}
	}
	if strings.Contains(m.HTML, `href="https://evil`) {
		t.Error("what somebody wrote is a link")
	}
	if got := m.Header.Get("List-Unsubscribe"); got != "<https://chat.example.org/api/v1/u?token=x>" ||
		m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		t.Errorf("List-Unsubscribe: %s", got)
	}
	only := full()
	only.Digest = &domain.Summary{Reports: 2}
	if err := n.Queue.Queue(t.Context(), domain.Mail{To: "ben@example.org", Template: domain.MailDigest, Data: only}); err != nil {
		t.Fatal(err)
	}
	if m := server.Wait(t, "ben@example.org", 1); !strings.Contains(m.Text, "2 reported messages wait for your decision.") ||
		strings.Contains(m.Text, "not read") {
		t.Errorf("of reports alone:\n%s", m.Text)
	}
	data := full()
	data.Digest = nil
	nothing := domain.Mail{To: "ann@example.org", Template: domain.MailDigest, Data: data}
	if err := n.Queue.Queue(t.Context(), nothing); err == nil {
		t.Error("a digest of nothing is sent")
	}
}

// refusing is a store that no mail may reach.
type refusing struct{ mail.Store }

func (refusing) QueueMail(context.Context, domain.QueuedMail, string) (bool, error) {
	return false, errors.New("it got to the store")
}

func closed(t *testing.T) *mail.Queue {
	t.Helper()
	q, err := mail.New(mail.Deps{Store: refusing{}, Key: make([]byte, 32), Name: "Team chat",
		URL: "https://chat.example.org", Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestHeaderInjectionIsRefused(t *testing.T) {
	t.Parallel()
	q := closed(t)
	for _, to := range []string{
		"", "ann", "ann@example.org\r\nBcc: eve@example.org", "ann@example.org\nBcc: eve@example.org",
		"ann@example.org, eve@example.org",
		"Ann <ann@example.org>", "<ann@example.org>", "ann@example.org ", "ann@example.org\x00", `"a\r\nb"@example.org`,
		"ann@@example.org",
		"ann(comment)@example.org", strings.Repeat("a", 250) + "@example.org", "ann@[127.0.0.1]",
	} {
		m := reset(to)
		if err := q.Queue(t.Context(), m); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: %v", to, err)
		}
	}
	for _, to := range []string{"ann@example.org", "ann+chat@sub.example.org", "o'neil@example.org",
		"jürgen@example.org"} {
		if err := mail.CheckAddress(to); err != nil {
			t.Errorf("%q: %v", to, err)
		}
	}
	if _, err := mail.Compose(netmail.Address{Address: "chat@example.org"}, "ann@example.org", "mail_1", "a", nil, nil,
		time.Now(), "https://x\r\nBcc: eve@example.org"); err == nil {
		t.Error("a link of several lines is a header")
	}
	for _, h := range []string{"a\r\nBcc: eve@example.org", "a\nb", "a\rb"} {
		body, err := mail.Compose(netmail.Address{Address: "chat@example.org"}, "ann@example.org", "mail_1", h, nil, nil,
			time.Now(), "")
		if err == nil && bytes.Contains(body, []byte("\nBcc:")) {
			t.Errorf("subject %q:\n%s", h, body)
		}
	}
}

func TestValuesStayValues(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{})
	n := start(t, db, server)
	d := full()
	d.From = "Eve\r\nBcc: all@example.org\n\n-> Win: https://evil.example"
	d.Factor = `<script>alert(1)</script><a href="https://evil.example">`
	for _, name := range []domain.MailTemplate{domain.MailInvitation, domain.MailSecondFactorAdded} {
		if err := n.Queue.Queue(t.Context(), domain.Mail{To: "ann@example.org", Template: name, Data: d}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		m := server.Wait(t, "ann@example.org", i+1)
		if m.Header.Get("Bcc") != "" || strings.Contains(m.HTML, `href="https://evil`) ||
			strings.Contains(m.HTML, "<script") || strings.Count(m.HTML, "<a ") != 1 {
			t.Errorf("%v\n%s", m.Header, m.HTML)
		}
	}
}

func TestMissingTemplateValueIsAnError(t *testing.T) {
	t.Parallel()
	q := closed(t)
	for name, m := range map[string]domain.Mail{
		"no link": {Template: domain.MailResetPassword,
			Data: domain.MailData{Username: "ann", Expires: time.Now().Add(time.Hour)}},
		"no time": {Template: domain.MailNewSignIn,
			Data: domain.MailData{Username: "ann", Link: "https://chat.example.org"}},
		"script link": {Template: domain.MailLocked,
			Data: domain.MailData{Username: "ann", Link: "javascript:alert(1)", Expires: time.Now().Add(time.Hour)}},
		"relative": {Template: domain.MailLocked, Data: domain.MailData{Username: "ann", Link: "/unlock",
			Expires: time.Now().Add(time.Hour)}},
		"unknown": {Template: "advertisement", Data: full()},
	} {
		m.To = "ann@example.org"
		if err := q.Queue(t.Context(), m); err == nil || strings.Contains(err.Error(), "store") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSenderOptions(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"", "http://host", "smtp://", "smtps://host/path", "smtps://host?tls=off", "smtp://host?verify=no",
		"smtp://user:pw@mail.example.org:25?tls=off", "://",
	} {
		if _, err := mail.NewSender(mail.Options{URL: u, From: from}); err == nil {
			t.Errorf("%q is taken", u)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: the error tells the password: %v", u, err)
		}
	}
	for _, u := range []string{"smtps://a:b@host", "smtp://a:b@host:587", "smtp://host:25?tls=off",
		"smtp://a:b@localhost:25?tls=off"} {
		if _, err := mail.NewSender(mail.Options{URL: u, From: from}); err != nil {
			t.Errorf("%q: %v", u, err)
		}
	}
	for _, f := range []string{"", "Unhidra", "a@b, c@d", "Unhidra <a b@c>"} {
		if _, err := mail.NewSender(mail.Options{URL: "smtps://host", From: f}); err == nil {
			t.Errorf("sender %q is taken", f)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var sum time.Duration
	last := time.Duration(0)
	for n := 1; n < 30; n++ {
		d := mail.Backoff(n)
		if d < 24*time.Second || d > 144*time.Minute {
			t.Errorf("after %d attempts: %v", n, d)
		}
		if n < 8 && d < last {
			t.Errorf("after %d attempts %v, before %v", n, d, last)
		}
		last = d
		if sum < 24*time.Hour {
			sum += d
		} else if n < 16 {
			t.Errorf("only %d attempts in a day", n)
		}
	}
}
