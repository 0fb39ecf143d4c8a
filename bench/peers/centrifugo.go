package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const centrifugoKey = "a key for measurements alone, of no use elsewhere"

// centrifugoProtocol is its JSON protocol.
type centrifugoProtocol struct{ rooms int }

func (centrifugoProtocol) path() string      { return "/connection/websocket" }
func (centrifugoProtocol) header(int) string { return "" }
func (centrifugoProtocol) joined() string    { return `"id":2,"subscribe"` }

func (c centrifugoProtocol) opening(client int) [][]byte {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256,
		jwt.MapClaims{"sub": fmt.Sprint("u", client), "exp": time.Now().Add(2 * time.Hour).Unix()}).
		SignedString([]byte(centrifugoKey))
	if err != nil {
		fail(err)
	}
	return [][]byte{
		fmt.Appendf(nil, `{"id":1,"connect":{"token":%q}}`, token),
		fmt.Appendf(nil, `{"id":2,"subscribe":{"channel":"room%d"}}`, client%c.rooms),
	}
}

func (c centrifugoProtocol) publish(n, client int, text string) []byte {
	return fmt.Appendf(nil, `{"id":%d,"publish":{"channel":"room%d","data":{"text":%q}}}`, n+3, client%c.rooms, text)
}

// answer returns the server's ping, which is an empty object.
func (centrifugoProtocol) answer(text []byte) []byte {
	if bytes.Equal(bytes.TrimSpace(text), []byte("{}")) {
		return []byte("{}")
	}
	return nil
}

// startCentrifugo starts it as its documentation does for a chat: JSON, and the
// memory engine, which keeps no message, or with a url streams in PostgreSQL, which
// keep the last hundred of each room; everything else by default.
func startCentrifugo(binary, dir string, rooms int, url string) (*target, error) {
	addr := freeAddr()
	_, port, _ := net.SplitHostPort(addr)
	channel := map[string]any{"allow_subscribe_for_client": true, "allow_publish_for_subscriber": true}
	config := map[string]any{
		"client": map[string]any{
			"token": map[string]any{"hmac_secret_key": centrifugoKey}, "allowed_origins": []string{"*"},
		},
		"channel":     map[string]any{"without_namespace": channel},
		"log":         map[string]any{"level": "warn"},
		"http_server": map[string]any{"address": "127.0.0.1", "port": port},
	}
	if url != "" {
		config["broker"] = map[string]any{"enabled": true, "type": "postgres",
			"postgres": map[string]any{"dsn": url, "use_notify": true}}
		channel["history_size"], channel["history_ttl"] = 100, "300s"
	}
	b, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "centrifugo.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, err
	}
	p, err := run(nil, binary, "--config", file)
	if err != nil {
		return nil, err
	}
	t := &target{name: "Centrifugo 6.9.1", addrs: []string{addr}, protocol: centrifugoProtocol{rooms},
		servers: []*process{p}}
	return t, t.await()
}
