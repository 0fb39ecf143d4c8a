package firmware

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// vectors are those of package updater, with keys of P-256: the firmware knows no others.
type vectors struct {
	Root   struct{ Payload []byte }
	Device struct {
		ID, Chip, Nonce string
		Revision, Floor int
		VersionCode     int `json:"version_code"`
		SecureVersion   int `json:"secure_version"`
		Slot            int
	}
	Cases []struct {
		Name, Answer string
		Age          int
		Frame        json.RawMessage
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "internal", "updater", "testdata", "vectors-p256.json"))
	must(t, err)
	must(t, json.Unmarshal(b, &v))
	return v
}

// ask has the firmware answer offers to the device of the vectors: each is its age in seconds, and the data of a frame.
func (v vectors) ask(t *testing.T, offers []string) []string {
	t.Helper()
	program(t)
	d := v.Device
	in := fmt.Sprintf("%s\n%s %s %d %d %d %d %d %s\n%s\n", v.Root.Payload, d.ID, d.Chip, d.Revision, d.VersionCode,
		d.Floor, d.SecureVersion, d.Slot, d.Nonce, strings.Join(offers, "\n"))
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "offers"))
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%.4000s", err, out)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(offers) {
		t.Fatalf("%d answers to %d offers: %s", len(answers), len(offers), out)
	}
	return answers
}

// offers returns the cases as the firmware reads them.
func (v vectors) offers(t *testing.T) (lines []string) {
	t.Helper()
	for _, c := range v.Cases {
		var flat bytes.Buffer
		must(t, json.Compact(&flat, c.Frame))
		lines = append(lines, fmt.Sprintf("%d %s", c.Age, flat.String()))
	}
	return lines
}

// The firmware answers each offer of the vectors as it must: the good ones, and all that is forged, held back, sent
// again, mixed or not for this device.
func TestTheFirmwareChecksOffers(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	answers := v.ask(t, v.offers(t))
	for i, c := range v.Cases {
		if answers[i] != c.Answer {
			t.Errorf("%s: it answers %s, and must %s", c.Name, answers[i], c.Answer)
		}
	}
}

// Whatever one byte of a good offer is changed to, it is refused, or says the same.
func TestAChangedOfferIsRefused(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	good := v.offers(t)[0]
	var offers []string
	for i := strings.IndexByte(good, '{') + 1; i < len(good); i += 3 {
		b := []byte(good)
		if b[i] = 'A'; good[i] == 'A' {
			b[i] = 'B'
		}
		offers = append(offers, string(b), good[:i])
	}
	image := strings.Index(good, `"image"`) // what is behind it is not signed, and not believed
	for i, answer := range v.ask(t, offers) {
		if at := strings.IndexByte(good, '{') + 1 + i/2*3; answer == "accepted" && at < image-1 && i%2 == 0 {
			t.Errorf("with byte %d changed it is accepted: %.60q", at, offers[i][at:])
		}
		if i%2 == 1 && answer == "accepted" && len(offers[i]) < image-1 {
			t.Errorf("cut off after %d bytes it is accepted", len(offers[i]))
		}
	}
}
