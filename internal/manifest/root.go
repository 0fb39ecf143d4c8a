package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Root says which keys a product trusts. A device is made with the first one, or its hash, and follows
// the chain from there: each is signed by enough root keys of the one before and by enough of its own.
type Root struct {
	Type             string    `json:"type"` // root
	Product          string    `json:"product"`
	Version          int       `json:"version"` // 1, 2, ...
	Expires          time.Time `json:"expires,omitzero"`
	RootKeys         []Key     `json:"root_keys"`
	RootThreshold    int       `json:"root_threshold"`
	ReleaseKeys      []Key     `json:"release_keys"`
	ReleaseThreshold int       `json:"release_threshold"`
	OfferKeys        []Key     `json:"offer_keys"` // the server's; one signature is enough
}

// Seal makes an envelope of a root, without signatures.
func (r *Root) Seal() (*Envelope, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return seal(RootType, r)
}

// ReadRoot reads a root whose signatures are not verified.
func ReadRoot(e *Envelope) (*Root, error) {
	r := &Root{}
	if err := e.open(RootType, r); err != nil {
		return nil, err
	}
	return r, r.check()
}

// FirstRoot reads version 1 of a root, which its own keys have signed. Whether it is the right one, only its
// hash tells.
func FirstRoot(e *Envelope) (*Root, error) {
	r, err := ReadRoot(e)
	if err != nil {
		return nil, err
	}
	if r.Version != 1 {
		return nil, fmt.Errorf("%w: it has version %d, and the first one has 1", BadRoot, r.Version)
	}
	return r, enough(e, BadRoot, r.RootKeys, r.RootThreshold, time.Time{})
}

// Next reads the root that follows r.
func (r *Root) Next(e *Envelope) (*Root, error) {
	next, err := ReadRoot(e)
	switch {
	case err != nil:
		return nil, err
	case next.Version != r.Version+1:
		return nil, fmt.Errorf("%w: version %d does not follow version %d", BadRoot, next.Version, r.Version)
	case next.Product != r.Product:
		return nil, fmt.Errorf("%w: %q, and the trusted root is for %q", WrongProduct, next.Product, r.Product)
	}
	if err := enough(e, BadRoot, r.RootKeys, r.RootThreshold, time.Time{}); err != nil {
		return nil, fmt.Errorf("by the keys of version %d: %w", r.Version, err)
	}
	if err := enough(e, BadRoot, next.RootKeys, next.RootThreshold, time.Time{}); err != nil {
		return nil, fmt.Errorf("by the keys of version %d: %w", next.Version, err)
	}
	return next, nil
}

// Follow returns the last root of a chain that begins at r. Roots up to r's version are skipped.
func (r *Root) Follow(chain []*Envelope) (*Root, error) {
	if len(chain) > MaxRoots {
		return nil, fmt.Errorf("%w: there are more than %d", BadRoot, MaxRoots)
	}
	for _, e := range chain {
		read, err := ReadRoot(e)
		if err != nil {
			return nil, err
		}
		if read.Version <= r.Version {
			continue
		}
		if r, err = r.Next(e); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Expired reports whether the root has ended at t.
func (r *Root) Expired(t time.Time) bool { return !r.Expires.IsZero() && t.After(r.Expires) }

// Manifest reads a manifest of r's product that has enough signatures by keys that were valid when it was
// created.
func (r *Root) Manifest(e *Envelope) (*Manifest, error) {
	m, err := ReadManifest(e)
	if err != nil {
		return nil, err
	}
	if err := enough(e, BadSignature, r.ReleaseKeys, r.ReleaseThreshold, m.Created); err != nil {
		return nil, err
	}
	if m.Product != r.Product {
		return nil, fmt.Errorf("%w: %q, and the root is for %q", WrongProduct, m.Product, r.Product)
	}
	return m, nil
}

// Offer reads an offer of r's product that an offer key has signed which was valid when it was issued.
func (r *Root) Offer(e *Envelope) (*Offer, error) {
	o, err := readOffer(e)
	if err != nil {
		return nil, err
	}
	if err := enough(e, BadOffer, r.OfferKeys, 1, o.Issued); err != nil {
		return nil, err
	}
	if o.Product != r.Product {
		return nil, fmt.Errorf("%w: %q, and the root is for %q", WrongProduct, o.Product, r.Product)
	}
	return o, nil
}

// A Verdict says of one signature whether it counts.
type Verdict struct {
	KeyID   string `json:"keyid"`
	Problem string `json:"problem,omitempty"` // empty: it counts
}

// Judge says of each signature of e whether it counts as one by keys at a time, and how many do. A key counts
// once.
func Judge(e *Envelope, keys []Key, at time.Time) (verdicts []Verdict, count int) {
	counted := map[string]bool{}
	for _, s := range e.Signatures {
		v := Verdict{KeyID: s.KeyID, Problem: problem(e, s, keys, at)}
		if v.Problem == "" && counted[s.KeyID] {
			v.Problem = "this key has signed already"
		}
		if v.Problem == "" {
			counted[s.KeyID] = true
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, len(counted)
}

func problem(e *Envelope, s Signature, keys []Key, at time.Time) string {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.KeyID == s.KeyID })
	if i < 0 {
		return "the root does not trust this key"
	}
	k := &keys[i]
	if !at.IsZero() && !k.ValidAt(at) {
		return "the key was not valid at " + at.UTC().Format(time.RFC3339)
	}
	public, err := k.Public()
	if err != nil || !fits(public, e.Signed(), s.Sig) {
		return "the signature is not one of this document"
	}
	return ""
}

// enough returns an error with code unless threshold of keys have signed.
func enough(e *Envelope, code Code, keys []Key, threshold int, at time.Time) error {
	verdicts, count := Judge(e, keys, at)
	if count >= threshold {
		return nil
	}
	var why strings.Builder
	for _, v := range verdicts {
		if v.Problem != "" {
			fmt.Fprintf(&why, "; %.40s: %s", v.KeyID, v.Problem)
		}
	}
	return fmt.Errorf("%w: %d of %d that are needed%s", code, count, threshold, why.String())
}

// check says what is wrong with a root, apart from its signatures.
func (r *Root) check() error {
	problem := productProblem(r.Product)
	switch {
	case r.Type != "root":
		problem = errors.New(`type must be "root"`)
	case r.Version < 1:
		problem = errors.New("version must be 1 or more")
	}
	for _, role := range []struct {
		name      string
		keys      []Key
		threshold int
	}{{"root", r.RootKeys, r.RootThreshold}, {"release", r.ReleaseKeys, r.ReleaseThreshold}, {"offer", r.OfferKeys, 1}} {
		if problem == nil {
			problem = checkKeys(role.name, role.keys, role.threshold)
		}
	}
	if problem == nil {
		problem = r.checkRoles()
	}
	if problem != nil {
		return fmt.Errorf("%w: %w", BadDocument, problem)
	}
	return nil
}

func checkKeys(role string, keys []Key, threshold int) error {
	if len(keys) < 1 || len(keys) > MaxKeys {
		return fmt.Errorf("%s_keys must have 1 to %d keys", role, MaxKeys)
	}
	if threshold < 1 || threshold > len(keys) {
		return fmt.Errorf("%s_threshold is %d, and must be from 1 to the number of %s_keys, %d", role, threshold, role,
			len(keys))
	}
	seen := map[string]bool{}
	for i := range keys {
		if err := keys[i].check(); err != nil {
			return err
		}
		if seen[keys[i].KeyID] {
			return fmt.Errorf("%s_keys has key %s twice", role, keys[i].KeyID)
		}
		seen[keys[i].KeyID] = true
	}
	return nil
}

// checkRoles keeps the server's keys out of the others, and times out of root keys: documents that these
// sign have no time of their own.
func (r *Root) checkRoles() error {
	for i := range r.RootKeys {
		if k := &r.RootKeys[i]; !k.NotBefore.IsZero() || !k.NotAfter.IsZero() {
			return fmt.Errorf("root key %s has a time: a root key ends when the next root leaves it out", k.KeyID)
		}
	}
	for _, offer := range r.OfferKeys {
		for _, k := range slices.Concat(r.RootKeys, r.ReleaseKeys) {
			if k.KeyID == offer.KeyID {
				return fmt.Errorf("key %s signs offers, on a server: it must not sign roots or releases too", k.KeyID)
			}
		}
	}
	return nil
}

// MaxProduct is the number of bytes that the name of a product may have. Images of ESP-IDF name a project
// in 31 at most.
const MaxProduct = 64

func productProblem(product string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if product == "" || len(product) > MaxProduct || strings.ContainsFunc(product, bad) {
		return fmt.Errorf("product must have 1 to %d bytes, all of them printable", MaxProduct)
	}
	return nil
}
