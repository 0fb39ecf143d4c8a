package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Log says what is logged, and how.
type Log struct {
	Level   string            // of every part that Levels does not name
	Levels  map[string]string // by part
	Format  string
	Repeats int // of one warning or error of a part, a minute; 0: all
}

// LogParts are the parts of a server that have a level of their own.
func LogParts() []string {
	return []string{"admin", "alarm", "assistant", "audit", "auth", "backup", "blob", "bot", "bus", "captcha", "certs",
		"chat", "command", "device", "disk", "emoji", "feed", "files", "firmware", "gateway", "guest", "history", "http", "hub", "mail",
		"meaning", "ml", "moderation", "mqtt", "notify", "ota", "personal",
		"presence", "preview", "proxy",
		"rollout", "server",
		"shadow",
		"store", "telemetry", "trace", "usergroup", "webhook"}
}

// LogLevels are the levels, from that which lets through most.
func LogLevels() []string { return []string{"debug", "info", "warn", "error"} }

// ParseLogLevels takes part=level pairs, separated by commas or spaces. The part "all" stands for
// every part; a later pair counts more.
func ParseLogLevels(s string) (map[string]string, error) {
	levels := make(map[string]string)
	for _, pair := range list(strings.Join(strings.Fields(s), ",")) {
		part, level, _ := strings.Cut(pair, "=")
		parts := []string{part}
		if part == "all" {
			parts = LogParts()
		}
		for _, part := range parts {
			levels[part] = level
		}
	}
	return levels, CheckLogLevels(levels)
}

// CheckLogLevels refuses parts and levels that there are not.
func CheckLogLevels(levels map[string]string) error {
	for _, part := range slices.Sorted(maps.Keys(levels)) {
		if !slices.Contains(LogParts(), part) {
			return fmt.Errorf("%q is no part of the server; use all, or some of %s", part, strings.Join(LogParts(), ", "))
		}
		if level := levels[part]; !slices.Contains(LogLevels(), level) {
			return fmt.Errorf("%s: %q is no level; write it like %s=debug, with one of %s", part, level, part,
				strings.Join(LogLevels(), ", "))
		}
	}
	return nil
}

func logLevels(p *map[string]string) func(string) error {
	return func(s string) (err error) {
		*p, err = ParseLogLevels(s)
		return err
	}
}
