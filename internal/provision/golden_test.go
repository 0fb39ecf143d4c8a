package provision

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// golden is testdata/serial.json, which the web client is checked against too.
type golden struct {
	Commands []struct {
		Command byte
		Texts   []string
		Bytes   string
	}
	Streams []struct {
		Name    string
		Chunks  []string
		Packets []struct {
			Kind byte
			Data string
		}
	}
	Lines []struct {
		Setup struct{ SSID, Password, Server, Claim, CA string }
		Line  string
	}
}

// What goes over a serial line is what the web client writes and reads there, byte for byte.
func TestSerialGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/serial.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Commands) == 0 || len(g.Streams) == 0 || len(g.Lines) == 0 {
		t.Fatal("a part is missing")
	}
	for _, c := range g.Commands {
		same(t, "a command", improvCommand(c.Command, c.Texts...), c.Bytes)
	}
	for _, s := range g.Streams {
		var all []byte
		for _, c := range s.Chunks {
			all = append(all, unhex(t, c)...)
		}
		r := improvReader{r: bytes.NewReader(all)}
		for i := 0; ; i++ {
			kind, data, err := r.next()
			if err != nil {
				if i != len(s.Packets) {
					t.Errorf("%s: %d packets, want %d", s.Name, i, len(s.Packets))
				}
				break
			}
			if i >= len(s.Packets) || kind != s.Packets[i].Kind || hex.EncodeToString(data) != s.Packets[i].Data {
				t.Errorf("%s: packet %d is of kind %d with %x", s.Name, i, kind, data)
			}
		}
	}
	for _, l := range g.Lines {
		to := Target{SSID: l.Setup.SSID, Password: l.Setup.Password}
		if l.Setup.Claim != "" {
			to.Claim = &Claim{Server: l.Setup.Server, Token: l.Setup.Claim, CA: l.Setup.CA}
		}
		line, told := said(t, `{"ok":true}`)
		if err := Console(t.Context(), line, to); err != nil {
			t.Fatal(err)
		}
		if got := <-told; got != l.Line+"\n" {
			t.Errorf("the line is %s, want %s", got, l.Line)
		}
	}
}
