//go:build unix

package webpush

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
)

// BenchmarkPush encrypts a push of some length, and signs the token of its request: what each push takes.
func BenchmarkPush(b *testing.B) {
	browser := pushtest.NewBrowser(b, "https://push.example.org/1")
	to := Subscription{Endpoint: browser.Endpoint, Key: browser.Public(), Auth: browser.Auth}
	text := []byte(strings.Repeat("some text ", 40))
	b.Run("encrypt", func(b *testing.B) {
		testkit.Cost(b, "pushes", 1, func(int) {
			if _, err := Encrypt(to, text); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("sign", func(b *testing.B) {
		s, err := NewSender([]byte("secret"), "https://chat.example.org", nil)
		if err != nil {
			b.Fatal(err)
		}
		endpoint, err := url.Parse(browser.Endpoint)
		if err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		testkit.Cost(b, "tokens", 1, func(int) {
			if _, err := s.token(endpoint, now); err != nil {
				b.Fatal(err)
			}
		})
	})
}
