package firmware

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

// EndsSoon is how long before the end of a key an administrator must look: a new root has to reach the devices before
// it. FirmwareKeyEndsSoon in deploy/prometheus has the same.
const EndsSoon = 30 * 24 * time.Hour

// Trusted stores what products trust.
type Trusted interface {
	// NewestRoots returns the newest root of each product with an active release.
	NewestRoots(ctx context.Context) ([]domain.NewestRoot, error)
}

// Ends watches when the keys of products end. Products without an active release are left out: nobody waits for them.
type Ends struct {
	Trusted  Trusted
	OfferKey string // id of the key by which this server signs offers
	Now      func() time.Time

	mu   sync.Mutex
	at   time.Time            // when the store was asked
	told map[string]time.Time // what it said; nil: nothing
}

// What ends. Each is also the code of a problem of the health page.
const (
	rootEnds        = "firmware_root_ends"
	releaseKeysEnd  = "release_keys_end" // too few are left for a release
	offerKeyEnds    = "offer_key_ends"   // the server's, as the root has it
	mostEnds        = 20                 // that the health page has
	endsFor         = time.Minute        // that metrics are told what was found
	endsTime        = 2 * time.Second    // for the store to answer a scrape
	endsMetricsHelp = "When the first product with an active release has too few release keys left (release), its root " +
		"expires (root), or the server's key in it ends (offer), in seconds since 1970; 0: none does; -1: unknown."
)

// endsOf returns when something of a root ends. What never does is left out.
func endsOf(r *manifest.Root, offerKey string) map[string]time.Time {
	ends := map[string]time.Time{rootEnds: r.Expires}
	var left []time.Time
	for _, k := range r.ReleaseKeys {
		if !k.NotAfter.IsZero() {
			left = append(left, k.NotAfter)
		}
	}
	slices.SortFunc(left, time.Time.Compare)
	if n := len(r.ReleaseKeys) - r.ReleaseThreshold; n >= 0 && n < len(left) {
		ends[releaseKeysEnd] = left[n] // the end of one more than may end
	}
	for _, k := range r.OfferKeys {
		if k.KeyID == offerKey {
			ends[offerKeyEnds] = k.NotAfter
		}
	}
	for what, at := range ends {
		if at.IsZero() {
			delete(ends, what)
		}
	}
	return ends
}

// each calls found with what ends of each product.
func (e *Ends) each(ctx context.Context, found func(r domain.NewestRoot, ends map[string]time.Time)) error {
	all, err := e.Trusted.NewestRoots(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		root, err := readRoot(r.Envelope)
		if err != nil {
			return fmt.Errorf("the root of %s: %w", r.Product, err)
		}
		found(r, endsOf(root, e.OfferKey))
	}
	return nil
}

// CheckHealth adds the products whose keys have ended, or end soon: as warnings, since the server does not need them.
func (e *Ends) CheckHealth(ctx context.Context, r *domain.HealthReport) error {
	now, n := e.Now(), 0
	return e.each(ctx, func(of domain.NewestRoot, ends map[string]time.Time) {
		for _, what := range []string{releaseKeysEnd, rootEnds, offerKeyEnds} {
			at, has := ends[what]
			if !has || at.Sub(now) > EndsSoon || n >= mostEnds {
				continue
			}
			n++
			r.Warn(what, fmt.Sprintf("%s (%s, %s)", of.Name, of.Owner, at.UTC().Format(time.DateOnly)))
		}
	})
}

// Watch registers the metrics; nil: none.
func (e *Ends) Watch(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for key, what := range map[string]string{"release": releaseKeysEnd, "root": rootEnds, "offer": offerKeyEnds} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "firmware_key_expiry_timestamp_seconds",
			Help: endsMetricsHelp, ConstLabels: prometheus.Labels{"key": key}},
			func() float64 { return e.first(what) }))
	}
}

// first returns when the first of a kind ends. A store that does not answer is not asked again for each of them.
func (e *Ends) first(what string) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.Now(); e.at.IsZero() || now.Sub(e.at) >= endsFor {
		e.at, e.told = now, e.firsts()
	}
	at, has := e.told[what]
	switch {
	case e.told == nil:
		return -1
	case !has:
		return 0
	}
	return float64(at.Unix())
}

// firsts returns when the first of each kind ends; nil: the store does not answer.
func (e *Ends) firsts() map[string]time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), endsTime)
	defer cancel()
	firsts := map[string]time.Time{}
	err := e.each(ctx, func(_ domain.NewestRoot, ends map[string]time.Time) {
		for what, at := range ends {
			if first, has := firsts[what]; !has || at.Before(first) {
				firsts[what] = at
			}
		}
	})
	if err != nil {
		return nil
	}
	return firsts
}
