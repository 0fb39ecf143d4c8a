package ml

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// BaselineFile has inputs and outputs, in the form of the golden cases, that are usual for a version: what it was made
// with. Nobody asks them.
const BaselineFile = "baseline.json"

// baselineMost bounds that file.
const baselineMost = 16 << 20

// readBaseline reads the cases of folder that say what is usual; none: it has no such file.
func readBaseline(folder fs.FS, m Manifest) ([]GoldenCase, error) {
	f, err := folder.Open(BaselineFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, baselineMost+1))
	if err == nil && len(b) > baselineMost {
		err = fmt.Errorf("it has more than %d bytes", baselineMost)
	}
	var cases []GoldenCase
	if err == nil {
		err = json.Unmarshal(b, &cases)
	}
	for i, c := range cases {
		if _, _, wrong := c.tensors(m); wrong != nil && err == nil {
			err = fmt.Errorf("case %d: %w", i+1, wrong)
		}
	}
	if err == nil && len(cases) < driftLeast {
		err = fmt.Errorf("it has %d cases; write at least %d, or leave it out", len(cases), driftLeast)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", BaselineFile, err)
	}
	return cases, nil
}

// tensors returns the inputs and outputs of a case, which has no outputs if it is of a stream.
func (c GoldenCase) tensors(m Manifest) (inputs, outputs []Tensor, err error) {
	if inputs, err = fromJSON(c.Inputs); err == nil {
		err = fits(inputs, m.Inputs)
	}
	if err == nil && c.Outputs != nil {
		if outputs, err = fromJSON(c.Outputs); err == nil {
			err = fits(outputs, m.Outputs)
		}
	}
	return inputs, outputs, err
}

// sum is of what a baseline depends on.
func (m Manifest) sum() string {
	sum := sha256.Sum256(fmt.Append(nil, m.Inputs, m.Outputs, m.Files)) // a map is written in the order of its keys
	return hex.EncodeToString(sum[:8])
}

// driftPrefix begins the names of the settings that keep baselines, for all nodes.
const driftPrefix = "drift:"

func driftSetting(p *pool) string {
	return driftPrefix + p.manifest.Name + ":" + strconv.Itoa(p.manifest.Version)
}

// kept is the baselines of a version as they are stored, by what they are of.
type kept struct {
	Sum   string               `json:"sum"`
	Bases map[string]*baseline `json:"baselines"`
}

// follow has the stored baselines count.
func (d *drift) follow(stored string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if stored == "" || stored == d.followed {
		return
	}
	d.followed = stored
	var k kept
	if err := json.Unmarshal([]byte(stored), &k); err != nil || k.Sum != d.sum {
		return // of another version of this number
	}
	for _, f := range d.features {
		b := k.Bases[f.view().what()]
		switch own := f.base; {
		case f.valid(b):
			f.base, f.reference = b, b.Reference
			f.clear()
		case own != nil && own.Source != driftFile:
			d.unkept = true
		}
	}
}

// keep returns the baselines as they are to be stored; empty: they are, or there are none.
func (d *drift) keep() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.unkept {
		return "", nil
	}
	k := kept{d.sum, map[string]*baseline{}}
	for _, f := range d.features {
		if f.base != nil && f.base.Source != driftFile {
			k.Bases[f.view().what()] = f.base
		}
	}
	b, err := json.Marshal(k)
	return string(b), err
}

// stored says that these baselines are.
func (d *drift) stored(value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.followed, d.unkept = value, false
}

// keepBaselines makes baselines of what has been gathered, follows those that other nodes have stored, and stores
// others.
func (s *Service) keepBaselines(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, p := range s.pools() {
		p.drift.settle()
		if err := s.keepBaseline(ctx, p, ""); err != nil {
			return err
		}
	}
	return nil
}

// keepBaseline is about one version. Its caller holds changing.
func (s *Service) keepBaseline(ctx context.Context, p *pool, by string) error {
	name := driftSetting(p)
	s.mu.Lock()
	stored := s.baselines[name]
	s.mu.Unlock()
	p.drift.follow(stored)
	value, err := p.drift.keep()
	if err != nil || value == "" {
		return err
	}
	if s.Settings != nil {
		v := domain.Setting{Name: name, Value: value, By: by, At: time.Now().UTC()}
		if err := s.Settings.SetSetting(ctx, v); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.baselines[name] = value
	s.mu.Unlock()
	p.drift.stored(value)
	return nil
}

// takeBaseline has what a version was asked and answered lately on this node be what is usual, for all nodes.
func (s *Service) takeBaseline(ctx context.Context, event domain.AuditEvent, model string, version int) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.loadRoutings(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	e := s.models[model][version]
	var stored string
	if e != nil {
		stored = s.baselines[driftSetting(e.pool)]
	}
	s.mu.Unlock()
	if e == nil {
		return domain.NotFound.Errorf(domain.CodeNoRoute, "there is no version %d of a model %q", version, model)
	}
	e.pool.drift.follow(stored)
	if !e.pool.drift.take() {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest,
			"version %d has not been asked often enough on this node; %d samples are needed", version, driftLeast)
	}
	return s.keepBaseline(ctx, e.pool, event.Actor.ID)
}
