package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/manifest"
)

const rootText = `firmware root [flags] <new root>

Writes a root: the document that says whose signatures a product's devices trust. The
first one needs --product and all three kinds of keys. A later one takes what is not
said from the root before it, which --from names. --revoke leaves a key out; keys of a
kind that are given replace all of that kind, so name those that stay as well. Then sign
it with enough root keys, of a later one also with enough of those before it:

  unhidra firmware root --product greenhouse --root-key boss.pub.pem \
      --release-key build.pub.pem --offer-key server.pub.pem root-1.json
  unhidra firmware sign --key boss.key.pem root-1.json
  unhidra firmware root --from root-1.json --revoke 0123456789abcdef \
      --release-key new.pub.pem root-2.json
`

type rootFlags struct {
	from, product, expires           string
	rootKeys, releaseKeys, offerKeys *[]string
	revoked                          *[]string
	rootThreshold, releaseThreshold  int
	noExpiry                         bool
}

func (f *rootFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.from, "from", "", "the `root` before this one, signed")
	fs.StringVar(&f.product, "product", "", "`name` of the product: the project name of its images")
	f.rootKeys = list(fs, "root-key", "public key, in a `file`, that signs roots")
	f.releaseKeys = list(fs, "release-key", "public key, in a `file`, that signs releases; "+
		"FILE,2026-01-31,2027-01-31 limits when it may")
	f.offerKeys = list(fs, "offer-key", "public key, in a `file`, of the server")
	f.revoked = list(fs, "revoke", "`id` of a key that nothing is trusted of any more")
	fs.IntVar(&f.rootThreshold, "root-threshold", 0, "`number` of root keys that must sign a root; 0: as before, or 1")
	fs.IntVar(&f.releaseThreshold, "release-threshold", 0,
		"`number` of release keys that must sign a release; 0: as before, or 1")
	fs.StringVar(&f.expires, "expires", "", "`time` until which devices accept it (2027-01-31, or RFC 3339)")
	fs.BoolVar(&f.noExpiry, "no-expiry", false, "it does not expire")
}

func firmwareRoot(_ context.Context, e *env, args []string) error {
	var f rootFlags
	fs := e.flags("firmware root", rootText)
	f.register(fs)
	words, err := parse(fs, args, "<new root>")
	if err != nil {
		return err
	}
	r, err := f.root()
	if err != nil {
		return err
	}
	envelope, err := r.Seal()
	if err != nil {
		return err
	}
	data, err := envelope.Bytes()
	if err != nil {
		return err
	}
	if err := writeNew(words[0], data, 0o644); err != nil {
		return err
	}
	describeRoot(e.stdout, r)
	fmt.Fprintf(e.stdout, "Sign it: unhidra firmware sign --key FILE %s\n", words[0])
	return nil
}

// root makes the root that the flags describe.
func (f *rootFlags) root() (*manifest.Root, error) {
	r := &manifest.Root{Type: "root", RootThreshold: 1, ReleaseThreshold: 1}
	if f.from != "" {
		before, err := readEnvelope(f.from)
		if err != nil {
			return nil, err
		}
		if r, err = manifest.ReadRoot(before); err != nil {
			return nil, fmt.Errorf("%s: %w", f.from, err)
		}
		if f.product != "" && f.product != r.Product {
			return nil, usagef("%s is for the product %s: another product begins with a root of its own", f.from, r.Product)
		}
	} else {
		if f.product == "" {
			return nil, usagef("--product is missing: the project name of the product's images (or --from, for a later root)")
		}
		r.Product = f.product
	}
	r.Version++
	if f.rootThreshold != 0 {
		r.RootThreshold = f.rootThreshold
	}
	if f.releaseThreshold != 0 {
		r.ReleaseThreshold = f.releaseThreshold
	}
	if err := f.expiry(r); err != nil {
		return nil, err
	}
	return r, f.keys(r)
}

func (f *rootFlags) expiry(r *manifest.Root) error {
	t, err := when(f.expires)
	if err != nil {
		return usagef("--expires: %q is not a time like 2027-01-31 or 2027-01-31T12:00:00Z", f.expires)
	}
	if !t.IsZero() || f.noExpiry {
		r.Expires = t.UTC()
	}
	if !t.IsZero() && f.noExpiry {
		return usagef("--expires and --no-expiry contradict each other")
	}
	return nil
}

// keys takes revoked keys out of a root, and then puts the keys of the flags into it.
func (f *rootFlags) keys(r *manifest.Root) error {
	for _, id := range *f.revoked {
		if !revoke(r, id) {
			return usagef("--revoke: the root before this one has no key %s", id)
		}
	}
	for _, role := range []struct {
		flag  string
		files []string
		keys  *[]manifest.Key
	}{
		{"--root-key", *f.rootKeys, &r.RootKeys}, {"--release-key", *f.releaseKeys, &r.ReleaseKeys},
		{"--offer-key", *f.offerKeys, &r.OfferKeys},
	} {
		if len(role.files) > 0 {
			*role.keys = nil
		}
		for _, file := range role.files {
			key, err := keyWithin(file)
			if err != nil {
				return err
			}
			if slices.Contains(*f.revoked, key.KeyID) {
				return usagef("%s %s is key %s, which --revoke takes out", role.flag, file, key.KeyID)
			}
			*role.keys = append(*role.keys, key)
		}
		if len(*role.keys) == 0 {
			return usagef("%s is missing", role.flag)
		}
	}
	return nil
}

// revoke takes a key out of a root.
func revoke(r *manifest.Root, id string) (found bool) {
	for _, keys := range []*[]manifest.Key{&r.RootKeys, &r.ReleaseKeys, &r.OfferKeys} {
		before := len(*keys)
		*keys = slices.DeleteFunc(slices.Clone(*keys), func(k manifest.Key) bool { return k.KeyID == id })
		found = found || len(*keys) < before
	}
	return found
}

// keyWithin reads a public key, with times between which it may sign.
func keyWithin(argument string) (manifest.Key, error) {
	file, times, limited := strings.Cut(argument, ",")
	key, err := readPublic(file)
	if err != nil || !limited {
		return key, err
	}
	from, to, _ := strings.Cut(times, ",")
	key.NotBefore, err = when(from)
	if err == nil {
		key.NotAfter, err = when(to)
	}
	if err != nil {
		return key, usagef("%q: write a key with times as FILE,2026-01-31,2027-01-31", argument)
	}
	key.NotBefore, key.NotAfter = key.NotBefore.UTC(), key.NotAfter.UTC()
	return key, nil
}
