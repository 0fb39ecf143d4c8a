package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/manifest"
)

const signText = `firmware sign [flags] <document>

Signs a root or a manifest, and says what it signs. The file then has one signature
more. Name the images that you have built yourself: they are compared, so that you
sign no others. A key that a token or a key service holds signs in two steps:

  unhidra firmware sign --pae to-be-signed release.json
  openssl dgst -sha256 -binary -out hash to-be-signed
  pkcs11-tool --sign --mechanism ECDSA --id 01 --input-file hash --output-file signature
  unhidra firmware sign --public build.pub.pem --signature signature release.json
`

type signFlags struct {
	key, pae, public, signature string
	images                      *[]string
}

func firmwareSign(_ context.Context, e *env, args []string) error {
	var f signFlags
	fs := e.flags("firmware sign", signText)
	fs.StringVar(&f.key, "key", "", "secret key, in a `file`")
	f.images = list(fs, "image", "an image, in a `file`, that the manifest must have")
	fs.StringVar(&f.pae, "pae", "", "write to this `file` what another program must sign")
	fs.StringVar(&f.public, "public", "", "with --signature: public key, in a `file`")
	fs.StringVar(&f.signature, "signature", "", "signature, in a `file`, that another program has made")
	words, err := parse(fs, args, "<document>")
	if err != nil {
		return err
	}
	attach := f.public != "" && f.signature != ""
	switch {
	case (f.public != "") != (f.signature != ""):
		return usagef("--public and --signature belong together")
	case f.key != "" && (attach || f.pae != "") || attach && f.pae != "":
		return usagef("use one of --key, --pae, and --signature with --public")
	case f.key == "" && !attach && f.pae == "":
		return usagef("--key is missing")
	}
	envelope, err := readEnvelope(words[0])
	if err != nil {
		return err
	}
	if err := describeDocument(e.stdout, envelope); err != nil {
		return err
	}
	if err := f.compare(e, envelope); err != nil {
		return err
	}
	if f.pae != "" {
		return writeNew(f.pae, envelope.Signed(), 0o644)
	}
	if err := f.sign(envelope); err != nil {
		return err
	}
	data, err := envelope.Bytes()
	if err != nil {
		return err
	}
	if err := replace(words[0], data); err != nil {
		return err
	}
	last := envelope.Signatures[len(envelope.Signatures)-1]
	fmt.Fprintf(e.stdout, "Signed with key %s; %s has %s.\n", last.KeyID, words[0],
		count(len(envelope.Signatures), "signature"))
	return nil
}

func (f *signFlags) sign(envelope *manifest.Envelope) error {
	if f.key != "" {
		text, err := readSmall(f.key)
		if err != nil {
			return err
		}
		key, err := manifest.ParsePrivate(text)
		if err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
		return envelope.Sign(key)
	}
	k, err := readPublic(f.public)
	if err != nil {
		return err
	}
	public, err := k.Public()
	if err != nil {
		return err
	}
	signature, err := readSmall(f.signature)
	if err != nil {
		return err
	}
	return envelope.Attach(public, signature)
}

// compare compares the images that are named with those of a manifest.
func (f *signFlags) compare(e *env, envelope *manifest.Envelope) error {
	if envelope.PayloadType != manifest.ManifestType {
		if len(*f.images) > 0 {
			return errors.New("only manifests have images")
		}
		return nil
	}
	m, err := manifest.ReadManifest(envelope)
	if err != nil {
		return err
	}
	if len(*f.images) == 0 {
		fmt.Fprintln(e.stderr, "The images were not compared: name your own builds with --image.")
	}
	return compareImages(e.stdout, m, *f.images)
}

// untilText says in words when something ends.
func untilText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", until " + t.UTC().Format(time.RFC3339)
}
