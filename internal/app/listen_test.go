package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/unhidra/unhidra/internal/config"
)

// A web page that makes its own name lead to the operator's listener reads nothing.
func TestOperatorsListenerKnowsItsNames(t *testing.T) {
	t.Parallel()
	h := onlyHosts([]string{"metrics.example.org"},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for host, want := range map[string]int{
		"localhost:9010": 204, "127.0.0.1:9010": 204, "[::1]:9010": 204, "10.0.0.7": 204, "unhidra:9010": 204,
		"metrics.example.org:9010": 204,
		"evil.example:9010":        421, "127.0.0.1.evil.example": 421, "localhost.evil.example:9010": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host = host
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code != want {
			t.Errorf("%s: %d, want %d", host, rec.Code, want)
		}
	}
}

// Who starts the server for all to reach, in the clear, and lets anybody register, is
// told so.
func TestOpenServersAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  []string
		want bool
	}{
		{nil, true},
		{[]string{"UNHIDRA_BIND_ADDR=0.0.0.0"}, true},
		{[]string{"UNHIDRA_BIND_ADDR=127.0.0.1"}, false},
		{[]string{"UNHIDRA_BIND_ADDR=localhost"}, false},
		{[]string{"UNHIDRA_REGISTRATION=invite"}, false},
		{[]string{"UNHIDRA_PUBLIC_URL=https://chat.example.org"}, false},
	} {
		conf, err := config.Load(c.env, nil)
		if got := conf.OpenToAll(); got != c.want || err != nil {
			t.Errorf("%v: %v %v, want %v", c.env, got, err, c.want)
		}
	}
}
