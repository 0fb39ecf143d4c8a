package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unhidra/unhidra/internal/manifest"
)

const firmwareText = `firmware <action> [flags] [arguments]

Makes, signs, checks and publishes firmware for devices. These actions need no server,
and no network:

  firmware keygen <name>            make a key, in <name>.key.pem and <name>.pub.pem
  firmware root <new root>          write which keys a product trusts, to be signed
  firmware manifest <image>...      describe a release of these images, to be signed
  firmware sign <document>          sign a root or a manifest, in its file
  firmware verify <document>        check the signatures of a root or a manifest
  firmware inspect <file>           say what an image or a document is
  firmware patch <base> <image> <new patch>
                                    make a patch between two images

These talk to a server:

  firmware product [name]           list products, or make one
  firmware offer-key <file>         write the server's public key, which roots name
  firmware trust <product> <root>   add a signed root to a product
  firmware upload <product> <image>...
                                    upload images as a draft of a release
  firmware release <product> [version]
                                    list releases, sign, activate or withdraw one
  firmware rollout <action>         bring a release to devices, and see how that goes
  firmware crashes <product> [version]
                                    say where devices crash
  firmware share <product>          let others join with their devices
  firmware join <device> [code]     have a device take the firmware of somebody else
  firmware ota-url <device>         link for a device that knows only other protocols

"unhidra firmware <action> --help" has the flags of each. docs/firmware-signing.md
says who keeps which key where, and what to do when one is lost.
`

func firmwareCommand() command {
	return command{"firmware", "make, sign, check and publish firmware for devices", firmware}
}

// firmwareActions are the actions, which have flags of their own.
func firmwareActions() []command {
	return []command{
		{"keygen", "", firmwareKeygen},
		{"root", "", firmwareRoot},
		{"manifest", "", firmwareManifest},
		{"sign", "", firmwareSign},
		{"verify", "", firmwareVerify},
		{"inspect", "", firmwareInspect},
		{"patch", "", firmwarePatch},
		{"product", "", firmwareProductAction},
		{"offer-key", "", firmwareOfferKey},
		{"trust", "", firmwareTrust},
		{"upload", "", firmwareUpload},
		{"release", "", firmwareReleaseAction},
		{"rollout", "", firmwareRollout},
		{"crashes", "", firmwareCrashes},
		{"share", "", firmwareShare},
		{"join", "", firmwareJoin},
		{"ota-url", "", firmwareOTA},
	}
}

func firmware(ctx context.Context, e *env, args []string) error {
	var names []string
	for _, a := range firmwareActions() {
		if len(args) > 0 && args[0] == a.name {
			return a.run(ctx, e, args[1:])
		}
		names = append(names, a.name)
	}
	words, err := interspersed(e.flags("firmware", firmwareText), args)
	if err != nil {
		return err
	}
	which := strings.Join(names, ", ")
	if len(words) == 0 {
		return usagef("say what to do: %s; `unhidra firmware --help` explains it", which)
	}
	return usagef("there is no action %q; use %s, which `unhidra firmware --help` explains", words[0], which)
}

const keygenText = `firmware keygen [flags] <name>

Makes a key. <name>.key.pem is secret: whoever has it can sign firmware. Keep it off
servers, better off any network. <name>.pub.pem is for everybody. Neither file may
exist already.
`

func firmwareKeygen(_ context.Context, e *env, args []string) error {
	fs := e.flags("firmware keygen", keygenText)
	kind := fs.String("type", manifest.P256, "`kind` of key: p256, which all devices verify, or ed25519")
	words, err := parse(fs, args, "<name>")
	if err != nil {
		return err
	}
	if *kind != manifest.P256 && *kind != manifest.Ed25519 {
		return usagef("--type is %s or %s, and not %q", manifest.P256, manifest.Ed25519, *kind)
	}
	private, err := manifest.Generate(*kind)
	if err != nil {
		return err
	}
	secret, err := manifest.PrivatePEM(private)
	if err != nil {
		return err
	}
	public, err := manifest.PublicPEM(private.Public())
	if err != nil {
		return err
	}
	key, err := manifest.ParsePublic(public)
	if err != nil {
		return err
	}
	if err := writeNew(words[0]+".key.pem", secret, 0o600); err != nil {
		return err
	}
	if err := writeNew(words[0]+".pub.pem", public, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "Key %s: %s.key.pem is secret, %s.pub.pem is for everybody.\n", key.KeyID, words[0], words[0])
	return nil
}

// writeNew writes a file that must not exist.
func writeNew(name string, data []byte, mode os.FileMode) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already: move it away, or choose another name", name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// replace writes a file that exists, so that there is always a whole one.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// readEnvelope reads a signed document.
func readEnvelope(name string) (*manifest.Envelope, error) {
	data, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	envelope, err := manifest.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return envelope, nil
}

// readSmall reads a file that is a document or a key.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, manifest.MaxDocument+1))
	if err == nil && len(data) > manifest.MaxDocument {
		err = fmt.Errorf("%s has more than %d bytes: it is no document and no key", name, manifest.MaxDocument)
	}
	return data, err
}

// readPublic reads a public key.
func readPublic(name string) (manifest.Key, error) {
	data, err := readSmall(name)
	if err != nil {
		return manifest.Key{}, err
	}
	key, err := manifest.ParsePublic(data)
	if err != nil {
		return key, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// list is a flag that may be given several times.
func list(fs *flag.FlagSet, name, usage string) *[]string {
	var values []string
	fs.Func(name, usage+"; may be given several times", func(s string) error {
		values = append(values, s)
		return nil
	})
	return &values
}
