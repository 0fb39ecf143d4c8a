package webpush

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/pushtest"
)

// Whoever knows an endpoint can send to it: errors, which are logged, do not tell it.
func TestErrorsDoNotTellTheEndpoint(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	silent := &http.Client{Transport: refusing{}, Timeout: time.Minute}
	for endpoint, client := range map[string]*http.Client{
		away.URL + "/secret":            http.DefaultClient,
		"https://push.invalid/secret":   silent,
		"https://push.invalid/%/secret": http.DefaultClient,
	} {
		s, err := NewSender([]byte("key"), "https://chat.example.org", client)
		if err != nil {
			t.Fatal(err)
		}
		b := pushtest.NewBrowser(t, endpoint)
		_, err = s.Send(t.Context(), Subscription{Endpoint: endpoint, Key: b.Public(), Auth: b.Auth}, []byte("{}"), Options{},
			time.Now())
		if err == nil || strings.Contains(err.Error(), "/secret") {
			t.Errorf("%s: %v", endpoint, err)
		}
		if client == silent && !errors.Is(err, errRefused) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
}

var errRefused = errors.New("refused")

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errRefused }
