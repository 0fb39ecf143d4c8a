package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

type ada struct{}

func (ada) Authenticate(context.Context, string) (domain.Principal, error) {
	return domain.Principal{ID: "ada"}, nil
}

func TestGetPresence(t *testing.T) {
	w := newFakeUsers()
	s := New(Deps{Users: w, Peers: w, Bus: bus.NewLocal(), Log: slog.New(slog.DiscardHandler)})
	s.Connect("a1", user(w, "ada"), nothing)
	s.update("other node", report{User: "lin", Is: domain.Away})
	mux := http.NewServeMux()
	s.Routes(httpx.New(mux, httpx.Options{Auth: ada{}, Log: s.Log, Version: "test"}))
	h, err := httpx.Handler(mux, httpx.HandlerOptions{Log: s.Log})
	if err != nil {
		t.Fatal(err)
	}
	get := func(users string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/presence?users="+users, nil)
		r.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	rec := get("lin,bob,hermit")
	var ps wire.Presences
	if err := json.Unmarshal(rec.Body.Bytes(), &ps); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d %s %v", rec.Code, rec.Body, err)
	}
	got := ""
	for _, p := range ps.Users {
		got += fmt.Sprint(p.User, " ", p.Is, "; ")
	}
	if got != "lin away; bob offline; " {
		t.Errorf("got %s", got)
	}
	if rec := get(strings.Repeat("x,", 600)); rec.Code != http.StatusBadRequest {
		t.Errorf("600 people: %d %s", rec.Code, rec.Body)
	}
	if rec := get(""); rec.Code != http.StatusOK && rec.Code != http.StatusBadRequest {
		t.Errorf("nobody: %d %s", rec.Code, rec.Body)
	}
}
