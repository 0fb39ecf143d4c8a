package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/unhidra/unhidra/client"
)

func TestANameMeansOnesOwnProduct(t *testing.T) {
	t.Parallel()
	products := `{"items": [{"id": "prd_foreign", "name": "lamp", "owner": {"id": "usr_bob"}},
		{"id": "prd_own", "name": "lamp", "owner": {"id": "usr_ann"}},
		{"id": "prd_b", "name": "tank", "owner": {"id": "usr_bob"}},
		{"id": "prd_c", "name": "tank", "owner": {"id": "usr_cy"}},
		{"id": "prd_d", "name": "door", "owner": {"id": "usr_cy"}}]}`
	mux := http.NewServeMux()
	for at, body := range map[string]string{"/firmware/products": products, "/me": `{"id": "usr_ann"}`} {
		mux.HandleFunc("GET /api/v1"+at, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	o := &remote{c: client.New(server.URL)}
	for name, want := range map[string]string{"lamp": "prd_own", "prd_foreign": "prd_foreign", "door": "prd_d", "tank": "",
		"roof": ""} {
		p, err := o.product(t.Context(), name)
		if p.ID != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v", name, p.ID, err)
		}
	}
}

// A draft keeps its numbers, so that who gives others has to say which are meant.
func TestOtherNumbersThanThoseOfADraftAreRefused(t *testing.T) {
	t.Parallel()
	draft := onlineRelease{ID: "rel_1", Version: "2.0", Code: 20, MinCode: 10}
	for _, c := range []struct {
		flags uploadFlags
		r     onlineRelease
		fits  bool
	}{
		{uploadFlags{}, draft, true},
		{uploadFlags{code: 20, minCode: 10}, draft, true},
		{uploadFlags{code: 21}, onlineRelease{}, true}, // there is none of the version
		{uploadFlags{code: 21}, draft, false},
		{uploadFlags{code: 20, minCode: 11}, draft, false},
	} {
		if err := c.flags.fit(c.r); (err == nil) != c.fits {
			t.Errorf("--code %d --min-code %d with release %+v: %v", c.flags.code, c.flags.minCode, c.r, err)
		}
	}
}
