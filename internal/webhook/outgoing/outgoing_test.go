package outgoing

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A room is one with a webhook, and the service that sends for it at a time that the test sets.
type room struct {
	*Service
	db   *all.Store
	id   string
	ann  domain.Principal
	hook domain.OutHook
	now  time.Time

	said    []string
	audited []string
}

func (r *room) MayManageHooks(context.Context, domain.Principal, string) error { return nil }

func (r *room) Send(_ context.Context, p domain.Principal, d domain.Draft) (domain.Event, error) {
	r.said = append(r.said, p.ID+": "+d.Text)
	return domain.Event{}, nil
}

func (r *room) Record(_ context.Context, e domain.AuditEvent) {
	r.audited = append(r.audited, e.Details["what"])
}

func (r *room) RecordSync(ctx context.Context, e domain.AuditEvent) error {
	r.Record(ctx, e)
	return nil
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

func newRoom(t *testing.T, db *all.Store, url string, client *http.Client) *room {
	t.Helper()
	r := &room{db: db, id: testkit.Room(t, db, 2), ann: domain.Principal{ID: testkit.UserID(0), Kind: domain.KindUser},
		now: time.UnixMilli(time.Now().UnixMilli())}
	r.Service = New(Deps{Store: db.OutHooks, Queue: db.OutHooks, Chat: r, Audit: r, Client: client,
		Begin: func(context.Context) error { return nil }, Networks: []netip.Prefix{loopback}, Key: []byte("key"),
		Log: testkit.Logger(t), Now: func() time.Time { return r.now }})
	var err error
	r.hook, err = r.Create(t.Context(), r.ann, domain.OutHook{Room: r.id, URL: url,
		User:  domain.UserRef{DisplayName: "Tickets"},
		Types: []domain.EventType{domain.MessageCreated}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// say has the first user write something, and the webhook told.
func (r *room) say(t *testing.T, text string) domain.Event {
	t.Helper()
	e := testkit.Say(t, r.db, r.ann.ID, r.id, text, text)
	if _, err := r.db.OutHooks.Enqueue(t.Context(), []domain.Event{e}, r.now); err != nil {
		t.Fatal(err)
	}
	return e
}

// turn has the service send whatever is due.
func (r *room) turn(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, sendersTotal)
	r.start(t.Context(), slots, &wg)
	wg.Wait()
}

// state returns the webhook, and what it has sent, the newest first.
func (r *room) state(t *testing.T) (domain.OutHook, []domain.Delivery) {
	t.Helper()
	h, err := r.db.OutHooks.OutHook(t.Context(), r.id, r.hook.ID)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := r.Deliveries(t.Context(), r.ann, r.id, r.hook.ID)
	if err != nil {
		t.Fatal(err)
	}
	return h, sent
}

// Receivers that fail in each way are tried again, and whoever looks sees why.
func TestWhatIsWrongWithAReceiverIsShown(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect is followed")
	}))
	t.Cleanup(elsewhere.Close)
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, "what\r\nwent \x00\xffwrong")
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		url     string // in the place of the handler's
		status  int
		failure string
		wait    time.Duration // at least
	}{
		{"it fails", answer(500), "", 500, "the receiver answers 500", 0},
		{"it is busy", answer(503, "Retry-After", "7200"), "", 503, "the receiver answers 503", 2 * time.Hour},
		{"it is busy for a year", answer(429, "Retry-After", "31536000"), "", 429, "the receiver answers 429",
			24 * time.Hour},
		{"it refuses", answer(422), "", 422, "the receiver answers 422", 0},
		{"it redirects", answer(302, "Location", elsewhere.URL), "", 302,
			"the receiver sends elsewhere (302), which is not followed", 0},
		{"it hangs", func(_ http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body) // only then the server sees that the connection ends
			<-q.Context().Done()
		}, "", 0,
			"the receiver does not answer in time", 0},
		{"it ends the connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", 0,
			"the receiver ended the connection before it answered", 0},
		{"its header has no end", answer(200, "X-Long", strings.Repeat("x", 100<<10)), "", 0,
			"what the receiver answers is no HTTP that can be read", 0},
		{"it speaks another protocol", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, "220 mail.example.org ESMTP\r\n")
			_ = c.Close()
		}, "", 0, "what the receiver answers is no HTTP that can be read", 0},
		{"it is away", nil, away.URL, 0, "the receiver cannot be reached: nothing takes connections at its port", 0},
		{"it speaks no TLS", nil, strings.Replace(elsewhere.URL, "http:", "https:", 1), 0,
			"the receiver does not speak TLS at this port, though its address begins with https", 0},
		{"it is in a private network", nil, "https://10.1.2.3/", 0,
			"the receiver is in a private network, which the operator of the server has not allowed " +
				"(UNHIDRA_PRIVATE_NETWORKS)", 0},
		{"it is the cloud's metadata", nil, "https://169.254.169.254/", 0,
			"the receiver is in a private network, which the operator of the server has not allowed " +
				"(UNHIDRA_PRIVATE_NETWORKS)", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.handler != nil {
				s := httptest.NewServer(c.handler)
				t.Cleanup(s.Close)
				c.url = s.URL
			}
			r := newRoom(t, testkit.Open(t, testkit.SQLite(t)), c.url,
				outbound.Client([]netip.Prefix{loopback}, 2*time.Second))
			r.say(t, "tea")
			r.turn(t)
			h, sent := r.state(t)
			if h.Failure != c.failure || h.Off != "" || !h.FailedAt.Equal(r.now) || h.Waiting != 1 || len(sent) != 1 {
				t.Fatalf("%+v, %+v", h, sent)
			}
			d := sent[0]
			if d.State != domain.DeliveryWaiting || d.Failure != c.failure || d.Status != c.status || d.Tries != 1 ||
				c.status != 0 && d.Answer != "what  went  \uFFFDwrong" {
				t.Errorf("%+v", d)
			}
			if least := r.now.Add(c.wait); h.DueAt.Before(least) || h.DueAt.After(least.Add(5*time.Second)) {
				t.Errorf("it is tried again in %v", h.DueAt.Sub(r.now))
			}
		})
	}
}

// What people read about a failed connection says what to look at: the name, the certificate or the time.
func TestTheReasonForNoAnswerSaysWhatToLookAt(t *testing.T) {
	t.Parallel()
	unverified := func(err error) error { return &url.Error{Op: "Post", Err: &tls.CertificateVerificationError{Err: err}} }
	for want, err := range map[string]error{
		"has no address":        &net.OpError{Op: "dial", Err: &net.DNSError{Name: "chat.invalid", IsNotFound: true}},
		"in time":               &net.OpError{Op: "dial", Err: &net.DNSError{Name: "chat.invalid", IsTimeout: true}},
		"expired":               unverified(x509.CertificateInvalidError{Reason: x509.Expired}),
		"this server trusts":    unverified(x509.UnknownAuthorityError{}),
		"valid for its address": unverified(x509.HostnameError{Host: "x", Certificate: &x509.Certificate{}}),
		"TLS handshake":         &url.Error{Op: "Post", Err: &net.OpError{Op: "remote error", Err: tls.AlertError(40)}},
		"ended the connection":  &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"cannot be reached":     &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
	} {
		if got := reasonOf(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

// A certificate that is not the receiver's own, or of nobody who is known, ends the connection before anything is sent.
func TestNothingIsSentToAReceiverWithAWrongCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("something is sent")
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo) // of the handshake
	s.StartTLS()
	t.Cleanup(s.Close)
	r := newRoom(t, testkit.Open(t, testkit.SQLite(t)), s.URL, outbound.Client([]netip.Prefix{loopback}, time.Minute))
	r.say(t, "tea")
	r.turn(t)
	if h, _ := r.state(t); h.Failure != "the certificate of the receiver is signed by nobody whom this server trusts" {
		t.Errorf("%+v", h)
	}
}

// Of an answer without an end little is read; that it is a success counts.
func TestAnAnswerWithoutAnEndIsCutShort(t *testing.T) {
	t.Parallel()
	wrote := make(chan int, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n, chunk := 0, bytes.Repeat([]byte("x"), 64<<10)
		for n < 1<<30 {
			m, err := w.Write(chunk)
			if n += m; err != nil {
				break
			}
		}
		wrote <- n
	}))
	t.Cleanup(s.Close)
	r := newRoom(t, testkit.Open(t, testkit.SQLite(t)), s.URL, outbound.Client([]netip.Prefix{loopback}, time.Minute))
	r.say(t, "tea")
	r.turn(t)
	if n := <-wrote; n >= 1<<30 {
		t.Errorf("%d bytes were taken", n)
	}
	h, sent := r.state(t)
	if h.SentAt.IsZero() || h.Waiting != 0 || len(sent[0].Answer) != domain.MaxHookAnswer ||
		sent[0].State != domain.DeliveryDone {
		t.Errorf("%+v, %+v", h, sent)
	}
}

// A receiver that takes nothing for three days switches the webhook off, and the room hears of it once; what waited is
// sent when it is switched on.
func TestAWebhookIsSwitchedOffAfterThreeDaysOfFailures(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		status := http.StatusBadGateway
		var got []string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			got = append(got, q.Header.Get("webhook-id"))
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		r := newRoom(t, db, s.URL, outbound.Client([]netip.Prefix{loopback}, time.Minute))
		first, second := r.say(t, "tea"), r.say(t, "cake")
		began := r.now
		h, _ := r.state(t)
		for ; h.Off == "" && r.now.Sub(began) < 5*24*time.Hour; h, _ = r.state(t) {
			r.turn(t)
			if h, _ := r.state(t); h.Off == "" {
				r.now = h.DueAt
			}
		}
		if failed := r.now.Sub(began); h.Off != domain.HookOffFailing || failed < offAfter || failed > offAfter+7*time.Hour {
			t.Errorf("after %v it is %+v", failed, h)
		}
		for _, id := range got {
			if id != fmt.Sprintf("%s:%d", r.id, first.Seq) {
				t.Errorf("%s was tried before its turn", id)
			}
		}
		if len(got) < 10 || len(got) > 60 {
			t.Errorf("it was tried %d times", len(got))
		}
		if len(r.said) != 1 || !strings.HasPrefix(r.said[0], h.ID+": ") || !strings.Contains(r.said[0], "three days") {
			t.Errorf("the room hears %q", r.said)
		}
		if last := r.audited[len(r.audited)-1]; last != "off_outgoing" {
			t.Errorf("the audit log has %q", r.audited)
		}
		r.say(t, "while it is off")
		got, status = nil, http.StatusNoContent
		on := true
		if _, err := r.Change(t.Context(), r.ann, r.id, h.ID, Change{On: &on}); err != nil {
			t.Fatal(err)
		}
		third := r.say(t, "when it is on")
		r.turn(t)
		var want []string
		for _, e := range []domain.Event{first, second, third} {
			want = append(want, fmt.Sprintf("%s:%d", r.id, e.Seq))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("sent are %v, not %v", got, want)
		}
	})
}

// What a receiver refuses for what it is does not hold up the rest; what was deleted is not sent.
func TestOneDeliveryThatIsRefusedDoesNotHoldUpTheRest(t *testing.T) {
	t.Parallel()
	var got []string
	var bad string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		id := q.Header.Get("webhook-id")
		got = append(got, id)
		if id == bad {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(s.Close)
	r := newRoom(t, testkit.Open(t, testkit.SQLite(t)), s.URL, outbound.Client([]netip.Prefix{loopback}, time.Minute))
	bad = fmt.Sprintf("%s:%d", r.id, r.say(t, "bad").Seq)
	purged := domain.Event{Room: r.id, Seq: 1000, Type: domain.MessageCreated, At: r.now,
		Actor: domain.UserRef{ID: r.ann.ID, Kind: domain.KindUser}} // not in the log
	if _, err := r.db.OutHooks.Enqueue(t.Context(), []domain.Event{purged}, r.now); err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf("%s:%d", r.id, r.say(t, "good").Seq)
	for range refusedTries {
		r.turn(t)
		h, _ := r.state(t)
		r.now = later(r.now, h.DueAt)
	}
	if want := strings.Repeat(bad+" ", refusedTries) + good; strings.Join(got, " ") != want {
		t.Errorf("tried are %v", got)
	}
	h, sent := r.state(t)
	states := map[string]domain.DeliveryState{}
	for _, d := range sent {
		states[d.ID] = d.State
	}
	if states[bad] != domain.DeliveryFailed || states[good] != domain.DeliveryDone || h.Off != "" ||
		states[r.id+":1000"] != domain.DeliveryDropped || !h.FailedAt.IsZero() {
		t.Errorf("%+v, %+v", h, sent)
	}
}

// What waits is sent in one go, and each delivery of it by what the webhook is then: to its address, signed by its
// secrets, and none once it was removed.
func TestEachDeliveryIsOfTheWebhookAsItIsThen(t *testing.T) {
	t.Parallel()
	var r *room
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		got = append(got, fmt.Sprint(q.URL.Path, " ", len(strings.Fields(q.Header.Get("webhook-signature")))))
		var err error
		switch len(got) {
		case 1:
			_, err = r.Rotate(q.Context(), r.ann, r.id, r.hook.ID)
		case 2:
			moved := "http://" + q.Host + "/new"
			_, err = r.Change(q.Context(), r.ann, r.id, r.hook.ID, Change{URL: &moved})
		case 3:
			err = r.Remove(q.Context(), r.ann, r.id, r.hook.ID)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	r = newRoom(t, testkit.Open(t, testkit.SQLite(t)), s.URL+"/old",
		outbound.Client([]netip.Prefix{loopback}, time.Minute))
	for i := range 4 {
		r.say(t, fmt.Sprint("line ", i))
	}
	r.turn(t)
	if want := "/old 1, /old 2, /new 2"; strings.Join(got, ", ") != want {
		t.Errorf("sent are %v", got)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// The vector is that of the tests of the libraries of Standard Webhooks.
func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	const shown, want = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(shown, secretPrefix))
	if err != nil || shownSecret(secret) != shown {
		t.Fatalf("the secret is shown as %s: %v", shownSecret(secret), err)
	}
	got := sign([][]byte{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != want {
		t.Errorf("the signature is %s", got)
	}
	s := New(Deps{Key: []byte("key")})
	now := time.Now()
	a, b := s.secretsOf("out_1", 2, now, now), s.secretsOf("out_1", 2, now, now.Add(domain.HookSecretKept))
	if len(a) != 2 || len(b) != 1 || !bytes.Equal(a[0], b[0]) || bytes.Equal(a[0], a[1]) {
		t.Errorf("%x, then %x", a, b)
	}
}
