package app_test

import (
	"net/http"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Every operation that writes is refused at some point, whoever calls it and
// however wrong the request is: what is counted is the call.
func TestEveryWriteHasALimit(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "RATE_LIMIT_USER_PER_MINUTE=1", "RATE_LIMIT_MESSAGES_PER_SEC=1")
	ann := s.User("ann")
	bearer := ann.Tokens().Access
	_, bot := makesBot(t, s, ann, "deploy", map[string]any{"scopes": []string{"write"}})
	const often = 40 // more than any limit allows at once in this setting
	for _, o := range operations(t, s, anything) {
		if o.method == "GET" {
			continue
		}
		token := bearer
		switch {
		case o.open:
			token = ""
		case o.ofBots():
			token = bot.Tokens().Access
		}
		status, n := 0, 0
		for status != http.StatusTooManyRequests && n < often {
			status, _ = try(t, s, o, "", token)
			n++
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("%s: called %d times, the last answer was %d; give it a limit in writeLimits", o.id, n, status)
		}
	}
}
