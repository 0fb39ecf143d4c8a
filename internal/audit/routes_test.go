package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// names takes a name for a token.
type names struct{}

func (names) Authenticate(_ context.Context, token string) (domain.Principal, error) {
	p := domain.Principal{ID: "usr_" + token, Kind: domain.KindUser, Role: domain.SystemUser}
	if token == "root" {
		p.Role = domain.SystemAdmin
	}
	return p, nil
}

type page struct {
	Records []audit.Entry
	Head    int64
	Next    int64
}

func ask(t *testing.T, h http.Handler, who, method, path string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/v1/admin/audit"+path, nil)
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(b)
}

func list(t *testing.T, h http.Handler, query string) page {
	t.Helper()
	code, text := ask(t, h, "root", "GET", query)
	var p page
	if err := json.Unmarshal([]byte(text), &p); code != 200 || err != nil {
		t.Fatalf("%s: %d %s", query, code, text)
	}
	return p
}

func TestListing(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		d := deps(t, db.Audit)
		s := audit.New(d)
		mux := http.NewServeMux()
		s.Routes(httpx.New(mux, httpx.Options{Auth: names{}}))
		begin := d.Now().Add(-time.Minute)
		for i := range 30 {
			e := login(i)
			e.Time = begin.Add(time.Duration(i) * time.Second)
			if i%10 == 0 {
				e.Type, e.Details = domain.AuditAdminUserRole, map[string]string{"role": "admin"}
			}
			if err := s.RecordSync(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for _, who := range []string{"", "ann"} {
			for _, call := range [][2]string{{"GET", ""}, {"POST", "/verify"}} {
				if code, _ := ask(t, mux, who, call[0], call[1]); code != 401 && code != 403 {
					t.Errorf("%q may %s: %d", who, call, code)
				}
			}
		}
		p := list(t, mux, "?limit=10")
		if len(p.Records) != 10 || p.Records[0].Seq != 30 || p.Head != 30 || p.Next != 21 {
			t.Fatalf("%d records from %d, head %d, next %d", len(p.Records), p.Records[0].Seq, p.Head, p.Next)
		}
		e := p.Records[0]
		if e.Addr != "192.0.2.7" || e.ActorName != "Ann Example" || e.ActorID != "usr_2" || e.Hash == "" || e.Erased {
			t.Errorf("%+v", e)
		}
		p = list(t, mux, fmt.Sprint("?limit=10&before=", p.Next))
		if p.Records[0].Seq != 20 {
			t.Errorf("the second page begins with %d", p.Records[0].Seq)
		}
		p = list(t, mux, "?after=25&limit=3")
		if len(p.Records) != 3 || p.Records[0].Seq != 26 || p.Next != 28 {
			t.Errorf("after 25: %+v", p)
		}
		for query, want := range map[string]int{
			"?type=admin.*": 3, "?type=admin.*,auth.login": 30, "?actor=usr_1": 10, "?type=auth.login&actor=usr_0": 9,
			"?target=usr_x": 0,
			"?from=" + begin.Add(10*time.Second).UTC().Format(time.RFC3339Nano) + "&to=" +
				begin.Add(20*time.Second).UTC().Format(time.RFC3339Nano): 10,
		} {
			if got := list(t, mux, query).Records; len(got) != want {
				t.Errorf("%s gives %d records, want %d", query, len(got), want)
			}
		}
		for _, bad := range []string{"?from=yesterday", "?limit=0", "?limit=100000", "?after=-1",
			"?type=" + strings.Repeat("a,", 30)} {
			if code, text := ask(t, mux, "root", "GET", bad); code != 400 {
				t.Errorf("%s: %d %s", bad, code, text)
			}
		}
		code, text := ask(t, mux, "root", "POST", "/verify")
		if code != 200 || !strings.Contains(text, `"intact":true`) {
			t.Errorf("verify: %d %s", code, text)
		}
	})
}
