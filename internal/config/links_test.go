package config

import (
	"strings"
	"testing"
)

// What Kubernetes and container links set for a Service of the server's name is no
// setting, and whatever else begins with UNHIDRA_ is still a mistake.
func TestServiceLinksAreNoSettings(t *testing.T) {
	t.Parallel()
	links := []string{
		"UNHIDRA_SERVICE_HOST=10.96.0.7", "UNHIDRA_SERVICE_PORT=9000", "UNHIDRA_SERVICE_PORT_HTTP=9000",
		"UNHIDRA_PORT=tcp://10.96.0.7:9000",
		"UNHIDRA_PORT_9000_TCP=tcp://10.96.0.7:9000", "UNHIDRA_PORT_9000_TCP_PROTO=tcp", "UNHIDRA_PORT_9000_TCP_PORT=9000",
		"UNHIDRA_PORT_9000_TCP_ADDR=10.96.0.7", "UNHIDRA_PORT_443_UDP=udp://10.96.0.7:443",
		"UNHIDRA_AUTH_SERVICE_HOST=10.96.0.8",
		"UNHIDRA_AUTH_PORT=tcp://10.96.0.8:9200", "UNHIDRA_AUTH_PORT_9200_TCP_ADDR=10.96.0.8",
	}
	if _, err := Load(links, nil); err != nil {
		t.Error(err)
	}
	for _, kv := range []string{"UNHIDRA_PORT=9000", "UNHIDRA_AUTH_PORT=9200", "UNHIDRA_SERVICE=x",
		"UNHIDRA_SERVICE_HOSTS=x", "UNHIDRA_PORTS=tcp://x:1"} {
		if _, err := Load([]string{kv}, nil); err == nil || !strings.Contains(err.Error(), "there is no such setting") {
			t.Errorf("%s: %v", kv, err)
		}
	}
}

// What commands read from the environment is no mistake for those beside them, which the same shell runs.
func TestVariablesOfCommandsAreNoMistakes(t *testing.T) {
	t.Parallel()
	environ := []string{"UNHIDRA_PASSWORD=x", "UNHIDRA_TOKEN=x", "UNHIDRA_WIFI_PASSWORD=x", "UNHIDRA_TEST_POSTGRES=x"}
	if _, err := Load(environ, nil); err != nil {
		t.Error(err)
	}
}

// A public URL with a path is refused, and why.
func TestPublicURLHasNoPath(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{"UNHIDRA_PUBLIC_URL=https://example.org/chat"}, nil)
	if err == nil || !strings.Contains(err.Error(), "has a path") ||
		!strings.Contains(err.Error(), "https://chat.example.org") {
		t.Error(err)
	}
	if c, err := Load([]string{"UNHIDRA_PUBLIC_URL=https://chat.example.org/"}, nil); err != nil ||
		c.PublicURL != "https://chat.example.org" {
		t.Error(c.PublicURL, err)
	}
}
