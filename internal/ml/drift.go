package ml

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// What a version is asked and answers is compared with a baseline by the population stability index. A request is
// counted only if no other is being counted just then, so nobody waits for it.
const (
	driftWhole     = 1000 // samples of a baseline that is gathered, and the most of the window beside it
	driftLeast     = 500  // samples of either, before anything is said
	driftBins      = 10   // of a baseline of numbers, beside what is less or more than each of it
	driftClasses   = 16   // different values that are counted one by one
	driftElements  = 16   // of a tensor of a request that are counted
	driftRows      = 4    // of vectors of a request that are counted
	driftSide      = 8    // features of the inputs, and of the outputs
	driftLargest   = 32   // the longest row of an output of which the place of the largest number is counted
	driftVector    = 1024 // the longest row that is compared with a reference
	driftReference = 100  // rows whose mean is that reference
	driftLabel     = 64   // bytes of a text that may be a class, and of a name
	driftSmooth    = 0.5  // added to each bin, as one may be empty
)

// The usual thresholds of the index: below the first hardly anything changed, from the second on much did.
const (
	driftSome = 0.1
	driftMuch = 0.25
)

// driftKind is what of a tensor is counted.
type driftKind string

const (
	driftLength  driftKind = "length"   // of a text, in bytes
	driftText    driftKind = "text"     // itself, if there are few different ones; else its length
	driftNumber  driftKind = "number"   // itself
	driftColumn  driftKind = "column"   // one of a row
	driftPlace   driftKind = "largest"  // the place of the largest number of a row
	driftNorm    driftKind = "norm"     // of a row
	driftLikened driftKind = "likeness" // of a row: the cosine of its angle with the mean of the first ones
)

// driftSource says where a baseline comes from.
type driftSource string

const (
	driftNone  driftSource = "none"  // it is still being gathered
	driftFile  driftSource = "file"  // the cases of the version
	driftFirst driftSource = "first" // the first requests
	driftTaken driftSource = "taken" // what an administrator has taken
)

// A drift compares what one version is asked and answers with what it was before. Its size is bounded: a thousand
// numbers for each of at most sixteen features.
type drift struct {
	sum      string // of the version
	features []*feature

	mu       sync.Mutex
	followed string // the stored baselines that were followed last
	unkept   bool   // there are baselines that are not stored
}

// A feature is one number or class of each request.
type feature struct {
	input  bool
	tensor string
	kind   driftKind
	column int
	row    int // numbers of a row

	ring      [driftWhole]uint64 // bits of a float64; of driftText a hash, 0 if it is too long for a class, and the length
	n         int                // samples since it was cleared
	base      *baseline          // nil: ring gathers it
	sums      []float64          // of rows, for the reference
	rows      int
	reference []int8 // scaled; nil: not yet there
}

// A baseline is the counts of a feature by bins: a bin for each of Keys and one for everything else, or one up to
// each of Edges and one for what is more.
type baseline struct {
	Source    driftSource `json:"source"`
	At        time.Time   `json:"at"`
	Labels    bool        `json:"labels,omitempty"` // keys are of texts
	Keys      []uint64    `json:"keys,omitempty"`
	Edges     []float64   `json:"edges,omitempty"`
	Counts    []int       `json:"counts"`
	Reference []int8      `json:"reference,omitempty"`
}

// newDrift returns what is counted of a version, and its baseline if its cases are enough for one.
func newDrift(m Manifest, cases []GoldenCase) *drift {
	d := &drift{sum: m.sum()}
	for _, side := range []struct {
		input bool
		specs []Spec
	}{{true, m.Inputs}, {false, m.Outputs}} {
		var all []*feature
		for _, s := range side.specs {
			for _, f := range featuresOf(s, side.input) {
				if !slices.ContainsFunc(all, func(o *feature) bool { return o.view().what() == f.view().what() }) {
					all = append(all, f)
				}
			}
		}
		d.features = append(d.features, all[:min(len(all), driftSide)]...)
	}
	if len(cases) < driftLeast {
		return d
	}
	for _, c := range cases {
		if inputs, outputs, err := c.tensors(m); err == nil {
			d.observe(inputs, outputs)
		}
	}
	for _, f := range d.features {
		if f.n >= driftLeast {
			f.base = f.gathered(driftFile)
		}
		f.clear()
	}
	return d
}

// featuresOf returns what is counted of a tensor.
func featuresOf(s Spec, input bool) []*feature {
	f := feature{input: input, tensor: s.Name, kind: driftNumber, row: 1}
	if n := len(s.Shape); n > 0 {
		f.row = int(max(1, s.Shape[n-1]))
	}
	as := func(kinds ...driftKind) (all []*feature) {
		for _, k := range kinds {
			one := f
			one.kind = k
			all = append(all, &one)
		}
		return all
	}
	switch {
	case len(s.Name) > driftLabel || !utf8.ValidString(s.Name):
		return nil // it names a series
	case s.Type == "BYTES" && input:
		return as(driftLength)
	case s.Type == "BYTES":
		return as(driftText)
	case f.row == 1:
		return as(driftNumber)
	case input && f.row <= driftSide:
		all := as(slices.Repeat([]driftKind{driftColumn}, f.row)...)
		for i := range all {
			all[i].column = i
		}
		return all
	case !input && f.row <= driftLargest:
		return as(driftPlace)
	case f.row <= driftVector:
		return as(driftNorm, driftLikened)
	}
	return nil
}

// observe counts a request, unless another one is being counted.
func (d *drift) observe(inputs, outputs []Tensor) {
	if !d.mu.TryLock() {
		return
	}
	defer d.mu.Unlock()
	for _, f := range d.features {
		tensors := outputs
		if f.input {
			tensors = inputs
		}
		for i := range tensors {
			if tensors[i].Name == f.tensor {
				f.observe(&tensors[i])
				break
			}
		}
	}
}

// streamed counts a request that was answered in chunks, whose texts have these lengths altogether.
func (d *drift) streamed(inputs []Tensor, lengths map[string]int) {
	d.observe(inputs, nil)
	if !d.mu.TryLock() {
		return
	}
	defer d.mu.Unlock()
	for _, f := range d.features {
		if n, ok := lengths[f.tensor]; ok && f.kind == driftText {
			f.put(uint64(uint32(n))) //nolint:gosec // chunks are bounded
		}
	}
}

func (f *feature) put(sample uint64) {
	f.ring[f.n%driftWhole] = sample
	f.n++
}

func (f *feature) number(v float64) { f.put(math.Float64bits(v + 0)) } // -0 is 0

func (f *feature) clear() { f.n = 0 }

// observe counts a tensor, which has been checked.
func (f *feature) observe(t *Tensor) {
	switch f.kind {
	case driftLength, driftText:
		f.texts(t.Data)
		return
	case driftNumber:
		for i := range min(t.elements(), driftElements) {
			f.number(t.number(i))
		}
		return
	}
	for row := range min(t.elements()/f.row, driftRows) {
		switch from := row * f.row; f.kind {
		case driftColumn:
			f.number(t.number(from + f.column))
		case driftPlace:
			at := 0
			for i := range f.row {
				if t.number(from+i) > t.number(from+at) {
					at = i
				}
			}
			f.number(float64(at))
		case driftNorm:
			square := 0.0
			for i := range f.row {
				square += t.number(from+i) * t.number(from+i)
			}
			f.number(math.Sqrt(square))
		case driftLikened:
			f.liken(t, from)
		}
	}
}

// texts counts the first of the texts in b, each its length and itself.
func (f *feature) texts(b []byte) {
	for range driftElements {
		if len(b) < 4 {
			return
		}
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if uint64(n) > uint64(len(b)) {
			return
		}
		if f.kind == driftLength {
			f.number(float64(n))
		} else {
			sample := uint64(n)
			if n <= driftLabel {
				h := fnv.New32a()
				_, _ = h.Write(b[:n])
				sample |= uint64(h.Sum32()|1) << 32
			}
			f.put(sample)
		}
		b = b[n:]
	}
}

// liken counts how like the reference a row is. The first rows are the reference.
func (f *feature) liken(t *Tensor, from int) {
	if f.reference == nil {
		if f.sums == nil {
			f.sums = make([]float64, f.row)
		}
		for i := range f.row {
			f.sums[i] += t.number(from + i)
		}
		if f.rows++; f.rows == driftReference {
			f.reference, f.sums = scaled(f.sums), nil
		}
		return
	}
	var dot, a, b float64
	for i, r := range f.reference {
		v, w := t.number(from+i), float64(r)
		dot, a, b = dot+v*w, a+v*v, b+w*w
	}
	if a > 0 && b > 0 {
		f.number(dot / math.Sqrt(a*b))
	}
}

// scaled returns v in whole numbers up to 127: its direction is what counts.
func scaled(v []float64) []int8 {
	most := 0.0
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	out := make([]int8, len(v))
	for i, x := range v {
		if most > 0 {
			out[i] = int8(math.Round(x / most * 127))
		}
	}
	return out
}

// samples returns those of the window, or of the baseline that is being gathered.
func (f *feature) samples() []uint64 { return f.ring[:min(f.n, driftWhole)] }

// value returns a sample as a number.
func (f *feature) value(sample uint64) float64 {
	if f.kind == driftText {
		return float64(uint32(sample)) //nolint:gosec // the lower half
	}
	return math.Float64frombits(sample)
}

// gathered returns the samples as a baseline.
func (f *feature) gathered(from driftSource) *baseline {
	b := &baseline{Source: from, At: time.Now().UTC(), Reference: f.reference}
	samples := f.samples()
	b.Labels = f.kind == driftText && !slices.ContainsFunc(samples, func(s uint64) bool { return s>>32 == 0 })
	if b.Keys = f.distinct(b, samples); b.Keys == nil && b.Labels {
		b.Labels = false
		b.Keys = f.distinct(b, samples)
	}
	if b.Keys == nil {
		b.Edges = f.edges(samples)
	}
	b.Counts = f.count(b, samples)
	return b
}

// key returns what a sample is counted as, if values are counted one by one.
func (f *feature) key(b *baseline, sample uint64) uint64 {
	if f.kind == driftText && !b.Labels {
		return math.Float64bits(f.value(sample))
	}
	return sample
}

// distinct returns the different keys of samples; nil: there are too many.
func (f *feature) distinct(b *baseline, samples []uint64) []uint64 {
	keys := []uint64{}
	for _, s := range samples {
		k := f.key(b, s)
		if slices.Contains(keys, k) {
			continue
		}
		if len(keys) == driftClasses {
			return nil
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// edges divides samples into parts of the same size, and leaves a part for what is less than each, and one for more.
func (f *feature) edges(samples []uint64) []float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, f.value(s))
	}
	slices.Sort(values)
	edges := []float64{math.Nextafter(values[0], math.Inf(-1))}
	for i := range driftBins {
		edges = append(edges, values[(i+1)*len(values)/driftBins-1])
	}
	return slices.Compact(edges)
}

// bins returns how many b has.
func (b *baseline) bins() int { return max(len(b.Keys), len(b.Edges)) + 1 }

// count returns how many samples are in each bin of b.
func (f *feature) count(b *baseline, samples []uint64) []int {
	counts := make([]int, b.bins())
	for _, s := range samples {
		at := 0
		if b.Keys != nil {
			if at = slices.Index(b.Keys, f.key(b, s)); at < 0 {
				at = len(b.Keys)
			}
		} else {
			at, _ = slices.BinarySearch(b.Edges, f.value(s))
		}
		counts[at]++
	}
	return counts
}

// valid says whether b is of f, as far as one can tell.
func (f *feature) valid(b *baseline) bool {
	return b != nil && len(b.Counts) == b.bins() && (b.Keys != nil || slices.IsSorted(b.Edges)) &&
		(f.kind != driftLikened || len(b.Reference) == f.row)
}

// index returns how far the window is from the baseline; false: there is not enough for that.
func (f *feature) index() (float64, bool) {
	if f.base == nil || f.n < driftLeast {
		return math.NaN(), false
	}
	return stability(shares(f.base.Counts), shares(f.count(f.base, f.samples()))), true
}

// shares returns which part is in each bin. None is 0, as what nobody saw yet may still come.
func shares(counts []int) []float64 {
	total := driftSmooth * float64(len(counts))
	for _, n := range counts {
		total += float64(n)
	}
	parts := make([]float64, 0, len(counts))
	for _, n := range counts {
		parts = append(parts, (float64(n)+driftSmooth)/total)
	}
	return parts
}

// stability is the population stability index of two distributions: the sum over their bins of (q-p) ln(q/p), as
// scorecards use it (Siddiqi, Credit Risk Scorecards, 2006; Yurdakul and Naranjo, Statistical properties of the
// population stability index, 2020).
func stability(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		sum += (q[i] - p[i]) * math.Log(q[i]/p[i])
	}
	return sum
}

// settle makes baselines of what has been gathered.
func (d *drift) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.features {
		if f.base == nil && f.n >= driftWhole {
			f.base = f.gathered(driftFirst)
			f.clear()
			d.unkept = true
		}
	}
}

// take makes the window of each feature that has enough its baseline, and says whether there was one.
func (d *drift) take() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := false
	for _, f := range d.features {
		if f.n >= driftLeast {
			f.base = f.gathered(driftTaken)
			f.clear()
			taken = true
		}
	}
	d.unkept = d.unkept || taken
	return taken
}

// A Drift is how far one thing that a version is asked or answers is from what it was.
type Drift struct {
	Input   bool        `json:"input" doc:"of what it is asked; else of what it answers"`
	Name    string      `json:"name" doc:"of the input or output"`
	Kind    driftKind   `json:"kind" enum:"length,text,number,column,largest,norm,likeness" doc:"what is compared: the length of texts; texts, or their length if there are many different ones; numbers; one column of rows; the place of the largest number of a row; the norm of a row; how like the mean of the first rows a row is"`
	Column  int         `json:"column,omitempty" doc:"which column, from 0"`
	Source  driftSource `json:"baseline" enum:"none,file,first,taken" doc:"what it is compared with: none yet, cases of the version, its first requests, or what an administrator has taken"`
	Since   *time.Time  `json:"since,omitempty" doc:"when the baseline was made"`
	Samples int         `json:"samples" doc:"that are compared, or gathered for the baseline, on this node"`
	Needed  int         `json:"needed" doc:"samples before anything is said"`
	Index   *float64    `json:"index,omitempty" doc:"population stability index: below 0.1 little changed, from 0.25 much; absent: there are too few samples"`
}

// what names it for metrics.
func (v Drift) what() string {
	what := "output " + v.Name
	if v.Input {
		what = "input " + v.Name
	}
	switch v.Kind {
	case driftColumn:
		return what + " " + string(v.Kind) + " " + strconv.Itoa(v.Column)
	case driftNumber, driftText:
		return what
	}
	return what + " " + string(v.Kind)
}

// views returns how far each feature is from its baseline.
func (d *drift) views() []Drift {
	d.mu.Lock()
	defer d.mu.Unlock()
	views := make([]Drift, 0, len(d.features))
	for _, f := range d.features {
		v := f.view()
		if f.base != nil {
			v.Source, v.Since, v.Needed = f.base.Source, &f.base.At, driftLeast
		}
		if index, ok := f.index(); ok {
			v.Index = &index
		}
		views = append(views, v)
	}
	return views
}

// worst returns what is farthest from its baseline, if that is much; else nothing.
func (d *drift) worst() string {
	what, most := "", driftMuch
	for _, v := range d.views() {
		if v.Index != nil && *v.Index >= most {
			what, most = v.what(), *v.Index
		}
	}
	return what
}

func (f *feature) view() Drift {
	return Drift{Input: f.input, Name: f.tensor, Kind: f.kind, Column: f.column, Source: driftNone,
		Samples: len(f.samples()), Needed: driftWhole}
}
