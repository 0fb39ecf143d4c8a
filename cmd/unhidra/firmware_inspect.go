package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/internal/espimage"
	"github.com/unhidra/unhidra/internal/manifest"
)

const inspectText = `firmware inspect [flags] <file>

Says what a file is: an image of ESP-IDF, or a root, a manifest or an offer. It exits
with 1 if the image is unusable. It verifies the signatures of Secure Boot in an image,
but none of documents: "unhidra firmware verify" does that. Say what the image must be,
and it is compared:

  unhidra firmware inspect --slot-size 1048576 --secure-boot-key DIGEST greenhouse.bin
  unhidra firmware inspect --chip nrf52840 --magic 0x200:d9b4a3c1 valve.bin
`

type inspectFlags struct {
	asJSON      bool
	chip, magic string
	slot        uint64
	keys        *[]string
}

func (f *inspectFlags) register(fs *flag.FlagSet) {
	fs.BoolVar(&f.asJSON, "json", false, "as JSON")
	fs.StringVar(&f.chip, "chip", "", "`name` of the chip; of one that is not Espressif's, the image is not read")
	fs.StringVar(&f.magic, "magic", "", "of an image that is not read: `byte:hex`, what must be at a place in it")
	fs.Uint64Var(&f.slot, "slot-size", 0, "`bytes` of the devices' partition, in which it must fit; 0: any number")
	f.keys = list(fs, "secure-boot-key",
		"`digest` of a key of Secure Boot, in hexadecimal, one of which must have signed it")
}

// expected is what the flags say of an image.
func (f *inspectFlags) expected() (d espimage.Declared, want espimage.Expected, err error) {
	d.Chip, want.SlotSize = f.chip, int64(min(f.slot, math.MaxInt64))
	for _, key := range *f.keys {
		if b, err := hex.DecodeString(key); err != nil || len(b) != 32 && len(b) != 16 {
			return d, want, usagef("--secure-boot-key has 64 hexadecimal digits, of ESP32-C2 32, and %q does not", key)
		}
		want.Keys = append(want.Keys, strings.ToLower(key))
	}
	if f.magic == "" {
		return d, want, nil
	}
	if !isRaw(f.chip) {
		return d, want, usagef("--magic is for images that are not of ESP-IDF: name their --chip as well")
	}
	at, bytes, _ := strings.Cut(f.magic, ":")
	place, err := strconv.ParseUint(at, 0, 32)
	if err == nil {
		d.MagicAt = int64(place)
		d.Magic, err = hex.DecodeString(bytes)
	}
	if err != nil || len(d.Magic) == 0 {
		return d, want, usagef("--magic is a place and the bytes there, such as 0x200:d9b4a3c1, and not %q", f.magic)
	}
	return d, want, nil
}

func firmwareInspect(_ context.Context, e *env, args []string) error {
	var f inspectFlags
	fs := e.flags("firmware inspect", inspectText)
	f.register(fs)
	words, err := parse(fs, args, "<file>")
	if err != nil {
		return err
	}
	declared, want, err := f.expected()
	if err != nil {
		return err
	}
	if envelope, err := readEnvelope(words[0]); err == nil || isDocument(words[0]) {
		if err != nil {
			return err
		}
		return inspectDocument(e.stdout, words[0], envelope, f.asJSON)
	}
	i, err := inspect(words[0], declared)
	if err != nil {
		return err
	}
	want.SecureVersion = i.SecureVersion
	i.Expect(want)
	if f.asJSON {
		encoder := json.NewEncoder(e.stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(i)
	} else {
		describeImage(e.stdout, i)
		printFindings(e.stdout, words[0], i)
	}
	if err == nil && i.Refused() {
		err = fmt.Errorf("%s is unusable", words[0])
	}
	return err
}

// inspectDocument says what a document is, or prints its payload as it is.
func inspectDocument(w io.Writer, name string, envelope *manifest.Envelope, asJSON bool) error {
	if !json.Valid(envelope.Payload) {
		return fmt.Errorf("%s: %w: its payload is not JSON", name, manifest.BadDocument)
	}
	if !asJSON {
		return describeDocument(w, envelope)
	}
	_, err := fmt.Fprintf(w, "%s\n", envelope.Payload)
	return err
}

// isDocument reports whether a file begins as documents do.
func isDocument(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	first := make([]byte, 1)
	n, err := f.Read(first)
	return err == nil && n == 1 && first[0] == '{'
}

func describeImage(w io.Writer, i *espimage.Image) {
	row := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(w, "%-16s %s\n", name, text)
		}
	}
	row("Chip", "%s", i.Chip)
	row("Revisions", "%s", revisions(i.RevisionMin, i.RevisionMax))
	row("Project", "%s", i.Project)
	row("Version", "%s", i.Version)
	row("Built", "%s", i.Built)
	row("ESP-IDF", "%s", i.SDK)
	row("Secure version", "%d", i.SecureVersion)
	row("Size", "%d bytes", i.Size)
	row("SHA-256", "%s", i.SHA256)
	row("ELF file", "%s", i.ELFSHA256)
	for _, s := range i.Signatures {
		valid := "valid"
		if !s.Valid {
			valid = "NOT valid"
		}
		row("Signature", "%s, %s, key %s", s.Scheme, valid, s.KeyDigest)
	}
}

func revisions(lowest, highest uint16) string {
	if highest == 0xFFFF {
		return fmt.Sprintf("%d and up", lowest)
	}
	return fmt.Sprintf("%d to %d", lowest, highest)
}
