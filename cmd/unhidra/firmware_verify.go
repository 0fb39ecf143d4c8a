package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

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
		fmt.Fprintf(w, "%s\n", plain(string(envelope.Payload)))
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
