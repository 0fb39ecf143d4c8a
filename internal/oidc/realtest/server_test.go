package realtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// browser is one at our server. It keeps cookies by hand: the server is reached
// by https, as it thinks, and marks them so.
type browser struct {
	t       *testing.T
	s       *live.Server
	cookies map[string]string
	token   string
}

func (b *browser) post(path string, in, out any) (status int, code domain.Code) {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, "http://"+b.s.Public+"/api/v1"+path,
		bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if b.token != "" {
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	var problem struct{ Code domain.Code }
	if res.StatusCode >= 400 {
		out = &problem
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		b.t.Fatal(res.Status, err)
	}
	return res.StatusCode, problem.Code
}

type signed struct {
	State  string
	Access string `json:"access_token"`
	Me     struct{ ID, Username, Email string }
}

// TestServer signs people in to a whole server by a real provider.
func TestServer(t *testing.T) {
	var handler http.Handler
	provider := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer provider.Close()
	issuer := provider.URL + "/"
	handler = Provider(issuer, redirect)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_PUBLIC_URL=https://chat.example.org", "UNHIDRA_OIDC_ISSUER="+issuer,
		"UNHIDRA_OIDC_CLIENT_ID="+ClientID, "UNHIDRA_OIDC_CLIENT_SECRET="+Secret)

	fresh := func() *browser { return &browser{t: t, s: s, cookies: map[string]string{}} }
	signInBy := func(b *browser, name string) (v signed, status int, code domain.Code) {
		t.Helper()
		var to struct{ Location string }
		if status, code := b.post("/auth/provider/oidc", struct{}{}, &to); status != http.StatusOK {
			t.Fatal(status, code)
		}
		back := signIn(t, to.Location, name, Password)
		status, code = b.post("/auth/provider", map[string]string{"query": back.Encode(), "client": "web"}, &v)
		return v, status, code
	}

	// A new account, and the same one at the next time.
	first, status, code := signInBy(fresh(), "ann")
	if status != http.StatusOK || first.State != "complete" || first.Me.Username != "ann" ||
		first.Me.Email != "ann@example.org" {
		t.Fatal(first, status, code)
	}
	again, _, _ := signInBy(fresh(), "ann")
	if again.Me.ID != first.Me.ID {
		t.Errorf("%+v and %+v", first.Me, again.Me)
	}

	// The way back without the browser that went: nobody is signed in.
	eve, victim := fresh(), fresh()
	var to struct{ Location string }
	eve.post("/auth/provider/oidc", struct{}{}, &to)
	back := signIn(t, to.Location, "bob", Password)
	if status, code := victim.post("/auth/provider", map[string]string{"query": back.Encode(), "client": "web"},
		nil); status != http.StatusUnauthorized || code != "flow_ended" {
		t.Errorf("%d %s", status, code)
	}

	// An account here is not found by itself; its owner links it. Without a mail server it
	// has no address.
	bob := fresh()
	var own signed
	status, code = bob.post("/auth/register", map[string]string{"username": "bobby", "password": live.Password,
		"client": "web"}, &own)
	if status != http.StatusCreated {
		t.Fatal(status, code)
	}
	other, status, code := signInBy(fresh(), "bob")
	// the provider does not vouch for the address
	if status != http.StatusOK || other.Me.ID == own.Me.ID || other.Me.Email != "" {
		t.Fatalf("%+v %d %s", other.Me, status, code)
	}
	bob.token = own.Access
	if status, code := bob.post("/me/providers/oidc", struct{}{}, &to); status != http.StatusOK {
		t.Fatal(status, code)
	}
	var linked signed
	back = signIn(t, to.Location, "bob", Password)
	if status, code := bob.post("/auth/provider", map[string]string{"query": back.Encode()},
		&linked); status != http.StatusConflict || code != "identity_taken" {
		t.Errorf("%d %s", status, code) // it has an account of its own by now
	}
}
