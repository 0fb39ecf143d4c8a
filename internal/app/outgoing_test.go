package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A delivered is what a receiver of an outgoing webhook got.
type delivered struct {
	ID, Type   string
	Seq        int64
	Text       string
	signatures []string // that are right, by their secrets
	refused    bool     // the receiver did not take it
}

// A receiver is an HTTP server that takes deliveries, and checks their signatures.
type receiver struct {
	*httptest.Server
	got     chan delivered
	status  atomic.Int64
	secrets atomic.Pointer[[]string]
	back    atomic.Pointer[string] // the address of an incoming webhook to which it posts
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: make(chan delivered, 100)}
	r.status.Store(200)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// signed reports whether a secret has made one of the signatures of Standard Webhooks.
func signed(secret string, h http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) != 32 {
		return false
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(body)))
	return slices.Contains(strings.Fields(h.Get("webhook-signature")), "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	var p struct {
		Type string
		Data struct {
			Seq     int64
			Message struct{ Text string }
		}
	}
	if json.Unmarshal(body, &p) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	d := delivered{ID: q.Header.Get("webhook-id"), Type: p.Type, Seq: p.Data.Seq, Text: p.Data.Message.Text}
	at, err := strconv.ParseInt(q.Header.Get("webhook-timestamp"), 10, 64)
	if err == nil && time.Since(time.Unix(at, 0)).Abs() < 5*time.Minute {
		for _, secret := range *r.secrets.Load() {
			if signed(secret, q.Header, body) {
				d.signatures = append(d.signatures, secret)
			}
		}
	}
	if url := r.back.Load(); url != nil {
		res, err := http.Post(*url, "application/json", strings.NewReader(`{"text":"I have it"}`))
		if err == nil {
			_ = res.Body.Close()
		}
	}
	status := int(r.status.Load())
	d.refused = status != 200
	w.WriteHeader(status)
	r.got <- d
}

// takes returns the next delivery that the receiver takes.
func (r *receiver) takes(t *testing.T) delivered {
	t.Helper()
	for {
		if d := next(t, r.got); !d.refused {
			if len(d.signatures) == 0 {
				t.Errorf("%+v is not signed", d)
			}
			return d
		}
	}
}

// What happens in a room is sent to an address: signed, in its order, again until it is taken, also after the server
// was started anew.
func TestAReceiverIsToldWhatHappensInARoom(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		ctx, to := t.Context(), newReceiver(t)
		s := start("UNHIDRA_PRIVATE_NETWORKS=127.0.0.0/8")
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		refusesHooks(t, ann, bob, room.ID)
		say := func(text string) (seq int64) {
			t.Helper()
			m, err := bob.Send(ctx, client.Draft{Room: room.ID, Text: text})
			must(t, err)
			return m.Seq
		}
		say("before")
		hook, err := ann.CreateOutgoingHook(ctx, room.ID, client.NewOutgoingHook{Name: "Tickets", URL: to.URL + "/chat"})
		must(t, err)
		to.secrets.Store(&[]string{hook.Secret})

		var in webhook
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/hooks", map[string]any{"name": "Grafana"}, &in))
		to.back.Store(&in.URL) // each delivery makes a message: this one is not sent
		first := say("first")
		if d := to.takes(t); d.Seq != first || d.Text != "first" || d.Type != "message.created" ||
			d.ID != room.ID+":"+strconv.FormatInt(first, 10) {
			t.Errorf("the first delivery is %+v", d)
		}
		if second := say("second"); to.takes(t).Seq != second {
			t.Error("the second delivery is another one")
		}
		to.back.Store(nil)

		renewed, err := ann.RotateOutgoingHook(ctx, room.ID, hook.ID)
		must(t, err)
		to.secrets.Store(&[]string{hook.Secret, renewed.Secret})
		must(t, ann.TestOutgoingHook(ctx, room.ID, hook.ID))
		if d := to.takes(t); d.Type != "webhook.test" || len(d.signatures) != 2 {
			t.Errorf("the test is %+v", d)
		}

		// After the receiver has failed, the server is started anew: nothing is lost, and the order is the room's.
		to.status.Store(503)
		third, fourth := say("third"), say("fourth")
		if d := next(t, to.got); d.Seq != third || !d.refused {
			t.Errorf("first tried: %+v", d)
		}
		to.status.Store(200) // on a slow machine it may take the third before the server has stopped
		s.Stop()
		s = start("UNHIDRA_PRIVATE_NETWORKS=127.0.0.0/8")
		ann, bob = client.New(s.URL), client.New(s.URL)
		must(t, ann.SignIn(ctx, "ann", live.Password))
		must(t, bob.SignIn(ctx, "bob", live.Password))
		if d := to.takes(t); d.Seq != third {
			t.Errorf("after the start came %+v", d)
		}
		if d := to.takes(t); d.Seq != fourth {
			t.Errorf("then came %+v", d)
		}
		hookAgain(t, to, ann, room.ID, hook.ID, first)
		hookEnds(t, to, ann, room.ID, hook.ID, say)
	})
}

// refusesHooks tries what nobody may, and what cannot be.
func refusesHooks(t *testing.T, ann, bob *client.Client, room string) {
	t.Helper()
	ctx := t.Context()
	for _, c := range []struct {
		who  *client.Client
		what client.NewOutgoingHook
		code string
	}{
		{bob, client.NewOutgoingHook{Name: "x", URL: "https://example.org/"}, string(client.CodeRoleTooLow)},
		{ann, client.NewOutgoingHook{Name: "", URL: "https://example.org/"}, string(client.CodeInvalidField)},
		{ann, client.NewOutgoingHook{Name: "x", URL: "http://example.org/"}, string(client.CodeInvalidField)},
		{ann, client.NewOutgoingHook{Name: "x", URL: "http://10.0.0.1/"}, string(client.CodeInvalidField)},
		{ann, client.NewOutgoingHook{Name: "x", URL: "https://ann:secret@example.org/"}, string(client.CodeInvalidField)},
		{ann, client.NewOutgoingHook{Name: "x", URL: "file:///etc/passwd"}, string(client.CodeInvalidField)},
		{ann, client.NewOutgoingHook{Name: "x", URL: "https://example.org/" + strings.Repeat("x", 2048)},
			string(client.CodeInvalidField)},
		{ann, client.NewOutgoingHook{Name: "x", URL: "https://example.org/", Events: []string{"message.invented"}},
			string(client.CodeInvalidField)},
	} {
		if _, err := c.who.CreateOutgoingHook(ctx, room, c.what); string(codeOf(err)) != c.code {
			t.Errorf("%+v: %v", c.what, err)
		}
	}
	if all, err := ann.OutgoingHooks(ctx, room); err != nil || len(all) != 0 {
		t.Errorf("there is %+v: %v", all, err)
	}
}

// hookAgain has a delivery sent once more.
func hookAgain(t *testing.T, to *receiver, ann *client.Client, room, hook string, seq int64) {
	t.Helper()
	ctx := t.Context()
	all, err := ann.HookDeliveries(ctx, room, hook)
	must(t, err)
	i := slices.IndexFunc(all, func(d client.HookDelivery) bool { return d.Seq == seq })
	if i < 0 || all[i].State != "delivered" || all[i].Status != 200 || all[i].Tries != 1 {
		t.Fatalf("deliveries are %+v", all)
	}
	must(t, ann.Redeliver(ctx, room, hook, all[i].ID))
	if d := to.takes(t); d.ID != all[i].ID {
		t.Errorf("again came %+v", d)
	}
	if err := ann.Redeliver(ctx, room, hook, room+":999999"); codeOf(err) != client.CodeNoHook {
		t.Errorf("a delivery that there is not: %v", err)
	}
}

// hookEnds has the receiver say that it has ended, switches the webhook on again, and removes it.
func hookEnds(t *testing.T, to *receiver, ann *client.Client, room, hook string, say func(string) int64) {
	t.Helper()
	ctx := t.Context()
	state := func() client.OutgoingHook {
		all, err := ann.OutgoingHooks(ctx, room)
		must(t, err)
		if len(all) != 1 {
			t.Fatalf("there are %+v", all)
		}
		return all[0]
	}
	to.status.Store(410)
	waits := say("for nobody")
	wait(t, func() bool { return state().Off == "gone" })
	page, err := ann.Timeline(ctx, room, "", 5)
	must(t, err)
	if !slices.ContainsFunc(page.Items, func(e client.Event) bool {
		return e.Message != nil && e.Message.Sender.ID == hook && strings.Contains(e.Message.Text, "410") &&
			strings.HasSuffix(e.Message.Text, " @ann")
	}) {
		t.Error("the room does not hear that its webhook is off")
	}
	say("while it is off")
	to.status.Store(200)
	on := true
	h, err := ann.ChangeOutgoingHook(ctx, room, hook, client.HookChange{On: &on})
	must(t, err)
	if h.Off != "" {
		t.Errorf("switched on it is %+v", h)
	}
	last := say("when it is on")
	if d := to.takes(t); d.Seq != waits {
		t.Errorf("what waited is %+v", d)
	}
	if d := to.takes(t); d.Seq != last {
		t.Errorf("then came %+v", d)
	}
	must(t, ann.DeleteOutgoingHook(ctx, room, hook))
	if _, err := ann.HookDeliveries(ctx, room, hook); codeOf(err) != client.CodeNoHook {
		t.Errorf("of a webhook that was removed: %v", err)
	}
	members, err := ann.Members(ctx, room, "")
	must(t, err)
	if slices.ContainsFunc(members.Items, func(m client.Member) bool { return m.User.ID == hook }) {
		t.Error("it is still in the room")
	}
}
