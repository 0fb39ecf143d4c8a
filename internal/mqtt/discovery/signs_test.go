package discovery

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// A command is done when the state topics show what was asked for, and not by what they showed before.
func TestWantedIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	number, text := domain.Number, domain.Text
	for _, c := range []struct {
		topic, payload string
		args           map[string]any
		sensor         string
		yes, no        []domain.Value
	}{
		{"climate", `"temp_cmd_t":"g","temp_stat_t":"s","temp_step":0.5`, map[string]any{"temperature": 25.0},
			"x_target", []domain.Value{number(25), number(25.25)}, []domain.Value{number(21), number(25.5), text("25")}},
		{"climate", `"temp_cmd_t":"g","temp_stat_t":"s","temp_unit":"F"`, map[string]any{"temperature": 20.0},
			"x_target", []domain.Value{number(20), number(20.2)}, []domain.Value{number(68), number(21)}},
		{"climate", `"mode_cmd_t":"m","mode_stat_t":"s","modes":["off","heat"]`, map[string]any{"mode": "heat"},
			"x_mode", []domain.Value{text("heat")}, []domain.Value{text("off")}},
		{"climate", `"temp_cmd_t":"g","mode_stat_t":"s"`, map[string]any{"temperature": 25.0}, "", nil, nil},
		{"cover", `"cmd_t":"c","stat_t":"s","pos_t":"p"`, map[string]any{"to": "open"},
			"x", []domain.Value{text("open")}, []domain.Value{text("closed"), text("opening")}},
		{"cover", `"cmd_t":"c","stat_t":"s","stat_clsd":"zu"`, map[string]any{"to": "close"},
			"x", []domain.Value{text("zu")}, []domain.Value{text("closed")}},
		{"cover", `"cmd_t":"c","pos_t":"p","pos_open":90`, map[string]any{"to": "open"},
			"x_position", []domain.Value{number(90)}, []domain.Value{number(0)}},
		{"cover", `"cmd_t":"c","stat_t":"s"`, map[string]any{"to": "stop"}, "x", []domain.Value{text("open")}, nil},
		{"lock", `"cmd_t":"c","stat_t":"s"`, map[string]any{"to": "lock"},
			"x", []domain.Value{text("LOCKED")}, []domain.Value{text("UNLOCKED"), text("LOCKING")}},
		{"number", `"cmd_t":"c","stat_t":"s","step":10`, map[string]any{"value": 40.0},
			"x", []domain.Value{number(40), number(44)}, []domain.Value{number(50)}},
		{"select", `"cmd_t":"c","stat_t":"s","ops":["a","b"]`, map[string]any{"value": "b"},
			"x", []domain.Value{text("b")}, []domain.Value{text("a")}},
		{"switch", `"cmd_t":"c","stat_t":"s"`, map[string]any{"on": false},
			"x", []domain.Value{domain.Bool(false)}, []domain.Value{domain.Bool(true)}},
		{"button", `"cmd_t":"c"`, nil, "", nil, nil},
	} {
		es, err := Parse(Prefix+c.topic+"/x/config", []byte(`{"name":"X",`+c.payload+`}`))
		if err != nil {
			t.Fatal(err)
		}
		Capabilities(es)
		wanted := es[0].Actions[0].Wanted(c.args)
		if c.sensor == "" {
			if len(wanted) != 0 {
				t.Errorf("%s %s waits for %v", c.topic, c.payload, wanted)
			}
			continue
		}
		shows := wanted[c.sensor]
		if shows == nil || len(wanted) != 1 {
			t.Errorf("%s %s waits for %v", c.topic, c.payload, wanted)
			continue
		}
		for _, v := range c.yes {
			if !shows(v) {
				t.Errorf("%s %v is not done by %v", c.topic, c.args, v.Any())
			}
		}
		for _, v := range c.no {
			if shows(v) {
				t.Errorf("%s %v is done by %v", c.topic, c.args, v.Any())
			}
		}
	}
}
