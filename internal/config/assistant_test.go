package config

import (
	"strings"
	"testing"
)

func TestSettingsOfAssistantsGoTogether(t *testing.T) {
	t.Parallel()
	for settings, says := range map[string]string{
		"UNHIDRA_ASSISTANT_URL=https://h/v1 UNHIDRA_ASSISTANT_MODEL=m": "",
		"UNHIDRA_ASSISTANT_MODEL=m UNHIDRA_ML=on":                      "",
		"UNHIDRA_ASSISTANT_MODEL=m":                                    "set UNHIDRA_ML=on",
		"UNHIDRA_ASSISTANT_URL=https://h/v1":                           "needs UNHIDRA_ASSISTANT_MODEL",
		"UNHIDRA_ASSISTANT_KEY=k UNHIDRA_ML=on":                        "set UNHIDRA_ASSISTANT_URL",
	} {
		if _, err := Load(strings.Fields(settings), nil); (err == nil) != (says == "") ||
			err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q, got %v", settings, says, err)
		}
	}
}
