package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/unhidra/unhidra/internal/espimage"
	"github.com/unhidra/unhidra/internal/manifest"
)

const verifyText = `firmware verify [flags] <document>

Checks the signatures of a root or a manifest as devices do. Name the roots from the
first one on, in their order. Compare the hash of the first root with the one that
your devices are made with: it is what all trust comes from.

  unhidra firmware verify --root root-1.json --root root-2.json release.json
`

func firmwareVerify(_ context.Context, e *env, args []string) error {
	fs := e.flags("firmware verify", verifyText)
	roots := list(fs, "root", "a root, in a `file`")
	images := list(fs, "image", "an image, in a `file`, that the manifest must have")
	hash := fs.String("root-hash", "", "`hash` that the first root must have")
	words, err := parse(fs, args, "<document>")
	if err != nil {
		return err
	}
	envelope, err := readEnvelope(words[0])
	if err != nil {
		return err
	}
	names := *roots
	if envelope.PayloadType == manifest.RootType {
		names = append(names, words[0])
	}
	if len(names) == 0 {
		return usagef("--root is missing")
	}
	root, err := verifyRoots(e, names, *hash)
	if err != nil {
		return err
	}
	if envelope.PayloadType == manifest.ManifestType {
		m, err := root.Manifest(envelope)
		if err != nil {
			return fmt.Errorf("%s: %w", words[0], err)
		}
		describeManifest(e.stdout, m)
		if m.Expired(time.Now()) {
			return fmt.Errorf("%s: %w", words[0], manifest.ManifestExpired)
		}
		if err := compareImages(e.stdout, m, *images); err != nil {
			return err
		}
	} else if envelope.PayloadType != manifest.RootType {
		return errors.New("an offer is verified by the device that it is for, which alone knows its nonce")
	}
	fmt.Fprintln(e.stdout, "The signatures are valid.")
	return nil
}

// verifyRoots verifies a chain of roots, and returns the last.
func verifyRoots(e *env, names []string, hash string) (root *manifest.Root, err error) {
	for n, name := range names {
		envelope, err := readEnvelope(name)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if root, err = manifest.FirstRoot(envelope); err == nil && hash != "" && envelope.Hash() != hash {
				err = fmt.Errorf("it has the hash %s, and not %s", envelope.Hash(), hash)
			}
		} else {
			root, err = root.Next(envelope)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(e.stdout, "Root %d of %s has the hash %s.\n", root.Version, root.Product, envelope.Hash())
	}
	if root.Expired(time.Now()) {
		return nil, fmt.Errorf("%s: %w: at %s", names[len(names)-1], manifest.RootExpired,
			root.Expires.Format(time.RFC3339))
	}
	return root, nil
}

const inspectText = `firmware inspect [flags] <file>

Says what a file is: an image of ESP-IDF, or a root, a manifest or an offer. It exits
with 1 if the image is unusable. It verifies the signatures of Secure Boot in an image,
but none of documents: "unhidra firmware verify" does that.
`

func firmwareInspect(_ context.Context, e *env, args []string) error {
	fs := e.flags("firmware inspect", inspectText)
	asJSON := fs.Bool("json", false, "as JSON")
	chip := fs.String("chip", "", "`name` of the chip; of one that is not Espressif's, the image is not read")
	words, err := parse(fs, args, "<file>")
	if err != nil {
		return err
	}
	if envelope, err := readEnvelope(words[0]); err == nil || isDocument(words[0]) {
		if err != nil {
			return err
		}
		if *asJSON {
			_, err := fmt.Fprintf(e.stdout, "%s\n", envelope.Payload)
			return err
		}
		return describeDocument(e.stdout, envelope)
	}
	i, err := inspect(words[0], *chip)
	if err != nil {
		return err
	}
	if *asJSON {
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

// describeDocument says what a document is.
func describeDocument(w io.Writer, envelope *manifest.Envelope) error {
	switch envelope.PayloadType {
	case manifest.RootType:
		r, err := manifest.ReadRoot(envelope)
		if err != nil {
			return err
		}
		describeRoot(w, r)
	case manifest.ManifestType:
		m, err := manifest.ReadManifest(envelope)
		if err != nil {
			return err
		}
		describeManifest(w, m)
	default:
		fmt.Fprintf(w, "%s\n", envelope.Payload)
	}
	for _, s := range envelope.Signatures {
		fmt.Fprintf(w, "  signature by key %.40q\n", s.KeyID)
	}
	return nil
}

func describeRoot(w io.Writer, r *manifest.Root) {
	fmt.Fprintf(w, "Root %d of %s%s:\n", r.Version, r.Product, untilText(r.Expires))
	for _, role := range []struct {
		name string
		keys []manifest.Key
		of   int
	}{
		{"roots", r.RootKeys, r.RootThreshold}, {"releases", r.ReleaseKeys, r.ReleaseThreshold},
		{"offers", r.OfferKeys, 1},
	} {
		fmt.Fprintf(w, "  %s are signed by %d of\n", role.name, role.of)
		for _, k := range role.keys {
			from := ""
			if !k.NotBefore.IsZero() {
				from = ", from " + k.NotBefore.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(w, "    %s (%s%s%s)\n", k.KeyID, k.Kind(), from, untilText(k.NotAfter))
		}
	}
}

func describeManifest(w io.Writer, m *manifest.Manifest) {
	fmt.Fprintf(w, "Release %s (%d) of %s, made at %s%s:\n", m.Version, m.VersionCode, m.Product,
		m.Created.UTC().Format(time.RFC3339), untilText(m.NotAfter))
	for _, i := range m.Images {
		highest := uint16(0xFFFF)
		if i.RevisionMax != nil {
			highest = *i.RevisionMax
		}
		fmt.Fprintf(w, "  %s, revisions %s, secure version %d, %d bytes, SHA-256 %s\n", i.Chip,
			revisions(i.RevisionMin, highest), i.SecureVersion, i.Size, i.SHA256)
	}
	if m.MinVersion != 0 {
		fmt.Fprintf(w, "  for devices that have version code %d or higher\n", m.MinVersion)
	}
	if m.AllowDowngradeTo != 0 {
		fmt.Fprintf(w, "  devices may go back from it as far as version code %d\n", m.AllowDowngradeTo)
	}
}
