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
		{"id": "prd_b", "name": "tank", "owner": {"id": "usr_bob"}}, {"id": "prd_c", "name": "tank", "owner": {"id": "usr_cy"}},
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
