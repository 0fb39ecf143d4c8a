package webpush

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/pushtest"
)

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func private(t *testing.T, text string) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.P256().NewPrivateKey(decode(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The example of RFC 8291, section 5.
func TestEncryptionIsThatOfRFC8291(t *testing.T) {
	t.Parallel()
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6" +
		"PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	s := Subscription{
		Key:  decode(t, "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
		Auth: decode(t, "BTBZMqHH6r4Tts7J_aSIgg"),
	}
	body, err := encrypt(s, []byte("When I grow up, I want to be a watermelon"), 0,
		private(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), decode(t, "DGv6ra1nlYgDCS1FRnbzlw"))
	if err != nil || encode(body) != want {
		t.Errorf("%s %v", encode(body), err)
	}
}

// The example of RFC 8188, section 3.1.
func TestContentCodingIsThatOfRFC8188(t *testing.T) {
	t.Parallel()
	salt := decode(t, "I1BsxtFttlv3u_Oo94xnmw")
	header := append(binary.BigEndian.AppendUint32(append([]byte{}, salt...), recordSize), 0)
	body, err := seal(header, decode(t, "yqdlZ-tYemfogSmv7Ws5PQ"), salt, []byte("I am the walrus\x02"))
	const want = "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"
	if err != nil || encode(body) != want {
		t.Errorf("%s %v", encode(body), err)
	}
}

func verifies(t *testing.T, public []byte, token string) bool {
	t.Helper()
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), public)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.LastIndexByte(token, '.')
	sum, sig := sha256.Sum256([]byte(token[:i])), decode(t, token[i+1:])
	return len(sig) == 64 && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

// The example of RFC 8292, section 2.4, is checked by the same steps as a token of our own.
func TestTokensAreThoseOfRFC8292(t *testing.T) {
	t.Parallel()
	example := encode([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." +
		encode([]byte(`{"aud":"https://push.example.net","exp":1453523768,"sub":"mailto:push@example.com"}`)) +
		".i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA"
	if !verifies(t, decode(t, "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"),
		example) {
		t.Error("the example does not verify")
	}
	s, err := NewSender([]byte("secret"), "https://chat.example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewSender([]byte("secret"), "https://chat.example.org", nil)
	if err != nil || again.PublicKey() != s.PublicKey() || len(s.public) != 65 {
		t.Errorf("another key for the same secret: %v", err)
	}
	at := time.Unix(1_800_000_000, 0)
	token, err := s.token(&url.URL{Scheme: "https", Host: "push.example.net:8443", Path: "/x"}, at)
	if err != nil || !verifies(t, s.public, token) {
		t.Fatalf("%s %v", token, err)
	}
	const want = `{"aud":"https://push.example.net:8443","exp":1800043200,"sub":"https://chat.example.org"}`
	if got := string(decode(t, strings.Split(token, ".")[1])); got != want {
		t.Error(got)
	}
}

// What is sent can be read by the receiver alone, and its length says little.
func TestMessagesArePaddedAndReadByTheReceiver(t *testing.T) {
	t.Parallel()
	b := pushtest.NewBrowser(t, "https://push.example.org/1")
	s := Subscription{Endpoint: b.Endpoint, Key: b.Public(), Auth: b.Auth}
	lengths := map[int]bool{}
	for _, n := range []int{0, 1, 511, 512, MaxText} {
		text := strings.Repeat("x", n)
		body, err := Encrypt(s, []byte(text))
		if err != nil || len(body) > 4096 {
			t.Fatalf("%d: %d bytes, %v", n, len(body), err)
		}
		if got, err := b.Decrypt(body); err != nil || string(got) != text {
			t.Errorf("%d: %q %v", n, got, err)
		}
		lengths[len(body)] = true
	}
	if len(lengths) != 3 {
		t.Errorf("texts of 0 to 511 bytes, of 512 and the longest have other than three lengths: %v", lengths)
	}
	if _, err := Encrypt(s, make([]byte, MaxText+1)); err == nil {
		t.Error("a text that is too long is encrypted")
	}
	if CheckKeys(b.Public(), b.Auth) != nil || CheckKeys(b.Public()[1:], b.Auth) == nil || CheckKeys(b.Public(), nil) == nil {
		t.Error("keys are checked wrongly")
	}
}

func TestAnswersOfPushServices(t *testing.T) {
	t.Parallel()
	b := pushtest.NewBrowser(t, "")
	var got *http.Request
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Retry-After", "120")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	}))
	t.Cleanup(service.Close)
	s, err := NewSender([]byte("secret"), "mailto:ann@example.org", service.Client())
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Send(t.Context(), Subscription{Endpoint: service.URL, Key: b.Public(), Auth: b.Auth}, []byte("x"),
		Options{TTL: time.Hour, Urgent: true, Topic: "room"}, time.Now())
	if err != nil || a.Status != 429 || a.RetryAfter != 2*time.Minute || a.Text != "slow down" || a.Taken() || a.Gone() {
		t.Fatalf("%+v %v", a, err)
	}
	for name, want := range map[string]string{"TTL": "3600", "Urgency": "high", "Topic": "room",
		"Content-Encoding": "aes128gcm"} {
		if is := got.Header.Get(name); is != want {
			t.Errorf("%s: %q", name, is)
		}
	}
	auth := got.Header.Get("Authorization")
	if !strings.HasPrefix(auth, "vapid t=") || !strings.HasSuffix(auth, ", k="+s.PublicKey()) {
		t.Error(auth)
	}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-7": 0, "x": 0,
		"Sat, 28 Nov 2026 12:01:00 GMT": time.Minute, "Sat, 28 Nov 2026 11:00:00 GMT": 0} {
		if is := retryAfter(text, now); is != want {
			t.Errorf("Retry-After %q is %v", text, is)
		}
	}
}
