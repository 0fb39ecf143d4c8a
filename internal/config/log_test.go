package config

import (
	"strings"
	"testing"
)

func TestLogLevelsOfParts(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"UNHIDRA_LOG_LEVELS=all=warn, gateway=debug,store=error"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]string{"gateway": "debug", "store": "error", "hub": "warn"} {
		if got := c.Log.Levels[part]; got != want {
			t.Errorf("%s: %q", part, got)
		}
	}
	for bad, want := range map[string]string{
		"gatewey=debug": "is no part of the server", "gateway=loud": "is no level",
		"gateway": "write it like gateway=debug",
		"=debug":  "is no part",
	} {
		if _, err := Load([]string{"UNHIDRA_LOG_LEVELS=" + bad}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
