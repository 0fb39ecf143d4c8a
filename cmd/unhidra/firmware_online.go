package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/manifest"
)

const onlineText = `
It signs in to the server as "unhidra chat" does: by --login and UNHIDRA_PASSWORD, or by
UNHIDRA_TOKEN, an access token of unhidra token issue.
`

// A remote has the flags of actions that talk to a server, and the connection.
type remote struct {
	*env
	c             *client.Client
	fs            *flag.FlagSet
	server, login string
}

// remote returns an action's flags.
func (e *env) remote(name, text string) *remote {
	return e.remoteOf("firmware "+name, text+onlineText)
}

// remoteOf returns a command's flags.
func (e *env) remoteOf(name, text string) *remote {
	o := &remote{env: e, fs: e.flags(name, text)}
	o.fs.StringVar(&o.server, "server", "http://localhost:9000", "`address` of the server, with http:// or https://")
	o.fs.StringVar(&o.login, "login", "", "username or e-mail address")
	return o
}

// run signs in, and calls fn.
func (o *remote) run(ctx context.Context, fn func(context.Context) error) error {
	if err := client.Valid(o.server); err != nil {
		return usagef("--server: %v", err)
	}
	o.c = client.New(o.server)
	err := signIn(ctx, o.env, o.c, bufio.NewReader(o.stdin), o.login)
	if err == nil {
		err = fn(ctx)
	}
	return unreachable(err, o.server)
}

type firmwareProduct struct {
	ID, Name, Title, Right string
	Root                   int
	Owner                  struct{ ID, Username string }
}

// product finds a product by its id or name. One's own goes before those of others that have the same name.
func (o *remote) product(ctx context.Context, name string) (firmwareProduct, error) {
	var all client.Page[firmwareProduct]
	if err := o.c.Do(ctx, "GET", "/firmware/products", nil, &all); err != nil {
		return firmwareProduct{}, err
	}
	var found []firmwareProduct
	for _, p := range all.Items {
		if p.ID == name || p.Name == name {
			found = append(found, p)
		}
	}
	if len(found) > 1 {
		me, err := o.c.Me(ctx)
		if err != nil {
			return firmwareProduct{}, err
		}
		if i := slices.IndexFunc(found, func(p firmwareProduct) bool { return p.Owner.ID == me.ID }); i >= 0 {
			return found[i], nil
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return firmwareProduct{}, fmt.Errorf("you see no product %q; `unhidra firmware product` lists those", name)
	}
	return firmwareProduct{}, fmt.Errorf("you see %d products %q of others; name one by its id", len(found), name)
}

const productText = `firmware product [flags] [name]

Lists the products that you see, or makes one of a name: the project name of its images.
`

func firmwareProductAction(ctx context.Context, e *env, args []string) error {
	o := e.remote("product", productText)
	title := o.fs.String("title", "", "what people call it")
	room := o.fs.String("room", "", "`id` of a room that you run: members see the product, administrators manage it")
	words, err := interspersed(o.fs, args)
	if err != nil {
		return err
	}
	if len(words) > 1 {
		return usagef("name one product, or none")
	}
	return o.run(ctx, func(ctx context.Context) error {
		if len(words) == 0 {
			return o.listProducts(ctx)
		}
		var p firmwareProduct
		err := o.c.Do(ctx, "POST", "/firmware/products",
			map[string]string{"name": words[0], "title": *title, "room": *room}, &p)
		if err == nil {
			fmt.Fprintf(o.stdout, "%s is the product %s. Add its root: unhidra firmware trust %s root-1.json\n", p.ID, p.Name,
				p.Name)
		}
		return err
	})
}

func (o *remote) listProducts(ctx context.Context) error {
	var all client.Page[firmwareProduct]
	if err := o.c.Do(ctx, "GET", "/firmware/products", nil, &all); err != nil {
		return err
	}
	w := tabwriter.NewWriter(o.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PRODUCT\tNAME\tOWNER\tROOT\tTITLE")
	for _, p := range all.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", p.ID, p.Name, p.Owner.Username, p.Root, plain(p.Title))
	}
	return w.Flush()
}

const offerKeyText = `firmware offer-key [flags] <file>

Writes the public key by which the server signs offers to a new file. A root names it
(firmware root --offer-key).
`

func firmwareOfferKey(ctx context.Context, e *env, args []string) error {
	o := e.remote("offer-key", offerKeyText)
	words, err := parse(o.fs, args, "<file>")
	if err != nil {
		return err
	}
	return o.run(ctx, func(ctx context.Context) error {
		var key struct{ KeyID, Key string }
		if err := o.c.Do(ctx, "GET", "/firmware/offer-key", nil, &key); err != nil {
			return err
		}
		if err := writeNew(words[0], []byte(key.Key), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(o.stdout, "%s has key %s.\n", words[0], key.KeyID)
		return nil
	})
}

const trustText = `firmware trust [flags] <product> <root>

Adds a signed root to a product: the first one, or the one that follows the newest.
`

func firmwareTrust(ctx context.Context, e *env, args []string) error {
	o := e.remote("trust", trustText)
	words, err := parse(o.fs, args, "<product>", "<root>")
	if err != nil {
		return err
	}
	root, err := readEnvelope(words[1])
	if err != nil {
		return err
	}
	return o.run(ctx, func(ctx context.Context) error {
		p, err := o.product(ctx, words[0])
		if err != nil {
			return err
		}
		var added struct {
			Version      int
			SHA256       string
			TrustsServer bool `json:"trusts_server"`
		}
		if err := o.c.Do(ctx, "POST", "/firmware/products/"+p.ID+"/roots", root, &added); err != nil {
			return err
		}
		fmt.Fprintf(o.stdout, "%s trusts root %d with SHA-256 %s.\n", p.Name, added.Version, added.SHA256)
		if !added.TrustsServer {
			fmt.Fprintln(o.stderr, "It does not trust this server's offer key, so devices would take no offer of it: "+
				"see unhidra firmware offer-key.")
		}
		return nil
	})
}

type onlineRelease struct {
	ID, Version, State, Notes string
	Code                      uint32   `json:"version_code"`
	MinCode                   uint32   `json:"min_version_code"`
	SignedBy                  []string `json:"signed_by"`
	Images                    []struct {
		SHA256, Chip  string
		Size          int64
		RevisionMin   uint16 `json:"revision_min"`
		RevisionMax   uint16 `json:"revision_max"`
		SecureVersion uint32 `json:"secure_version"`
		HasELF        bool   `json:"has_elf"`
		Factory       *struct{ SHA256 string }
	}
}

// release finds a release of a product by its version or id.
func (o *remote) release(ctx context.Context, product, version string) (onlineRelease, error) {
	all, err := o.releases(ctx, product)
	for _, r := range all {
		if r.Version == version || r.ID == version {
			return r, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("there is no release %q; `unhidra firmware release PRODUCT` lists them", version)
	}
	return onlineRelease{}, err
}

func (o *remote) releases(ctx context.Context, product string) (all []onlineRelease, err error) {
	for cursor := ""; ; {
		var page client.Page[onlineRelease]
		at := "/firmware/products/" + product + "/releases?limit=100&cursor=" + url.QueryEscape(cursor)
		if err := o.c.Do(ctx, "GET", at, nil, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Items...); page.Next == "" {
			return all, nil
		}
		cursor = page.Next
	}
}

const releaseText = `firmware release [flags] <product> [version]

Lists the releases of a product, or shows one. The manifest of a release is signed where
the keys are:

  unhidra firmware release --save release.json greenhouse 2.4.1
  unhidra firmware sign --key build.key.pem --image build/greenhouse.bin release.json
  unhidra firmware release --signed release.json --activate greenhouse 2.4.1
`

type releaseFlags struct {
	save, signed       string
	activate, withdraw bool
}

func firmwareReleaseAction(ctx context.Context, e *env, args []string) error {
	o, f := e.remote("release", releaseText), releaseFlags{}
	o.fs.StringVar(&f.save, "save", "", "write the manifest, to be signed, to this new `file`")
	o.fs.StringVar(&f.signed, "signed", "", "hand in the signatures of the manifest in this `file`")
	o.fs.BoolVar(&f.activate, "activate", false, "let rollouts bring it to devices")
	o.fs.BoolVar(&f.withdraw, "withdraw", false, "offer it to no device any more")
	words, err := interspersed(o.fs, args)
	if err != nil {
		return err
	}
	if len(words) < 1 || len(words) > 2 || len(words) == 1 && f != (releaseFlags{}) {
		return usagef("name a product, and a version of it")
	}
	return o.run(ctx, func(ctx context.Context) error {
		p, err := o.product(ctx, words[0])
		if err != nil {
			return err
		}
		if len(words) == 1 {
			return o.listReleases(ctx, p.ID)
		}
		r, err := o.release(ctx, p.ID, words[1])
		if err == nil {
			err = o.change(ctx, "/firmware/releases/"+r.ID, f, &r)
		}
		if err == nil {
			o.show(r)
		}
		return err
	})
}

// change does with a release what the flags say.
func (o *remote) change(ctx context.Context, at string, f releaseFlags, r *onlineRelease) error {
	if f.save != "" {
		var e manifest.Envelope
		if err := o.c.Do(ctx, "GET", at+"/manifest", nil, &e); err != nil {
			return err
		}
		data, err := json.MarshalIndent(&e, "", "  ")
		if err == nil {
			err = writeNew(f.save, append(data, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	if f.signed != "" {
		e, err := readEnvelope(f.signed)
		if err == nil {
			err = o.c.Do(ctx, "PUT", at+"/manifest", e, r)
		}
		if err != nil {
			return err
		}
	}
	for _, state := range []struct {
		wanted bool
		name   string
	}{{f.activate, "active"}, {f.withdraw, "withdrawn"}} {
		if state.wanted {
			if err := o.c.Do(ctx, "PATCH", at, map[string]string{"state": state.name}, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *remote) listReleases(ctx context.Context, product string) error {
	all, err := o.releases(ctx, product)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(o.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tCODE\tSTATE\tSIGNATURES\tIMAGES\tRELEASE")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%s\n", plain(r.Version), r.Code, r.State, len(r.SignedBy), len(r.Images), r.ID)
	}
	return w.Flush()
}

func (o *remote) show(r onlineRelease) {
	fmt.Fprintf(o.stdout, "%s (%d) is %s", plain(r.Version), r.Code, r.State)
	if len(r.SignedBy) > 0 {
		fmt.Fprintf(o.stdout, ", signed by %s", strings.Join(r.SignedBy, " and "))
	}
	fmt.Fprintf(o.stdout, ". Release %s\n", r.ID)
	for _, i := range r.Images {
		debug := ""
		if i.HasELF {
			debug = ", with its ELF file"
		}
		if i.Factory != nil {
			debug += ", with a factory image"
		}
		fmt.Fprintf(o.stdout, "  %s, revisions %s, %d bytes, secure version %d, SHA-256 %s%s\n", plain(i.Chip),
			revisions(i.RevisionMin, i.RevisionMax), i.Size, i.SecureVersion, i.SHA256, debug)
	}
}

// openFile opens a file to upload, and returns its size.
func openFile(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
