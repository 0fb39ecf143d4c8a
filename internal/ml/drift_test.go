package ml

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Values that anybody can compute by hand.
func TestTheStabilityIndex(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p, q []float64
		want float64
	}{
		{[]float64{.5, .5}, []float64{.5, .5}, 0},
		// .25 ln 1.5 - .25 ln .5 = .25 ln 3
		{[]float64{.5, .5}, []float64{.75, .25}, .274653},
		{[]float64{.75, .25}, []float64{.5, .5}, .274653},
		// .1 ln 1.5 + 0 - .1 ln .8 = .040547 + .022314
		{[]float64{.2, .3, .5}, []float64{.3, .3, .4}, .062861},
	} {
		if got := stability(c.p, c.q); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%v to %v: %v, want %v", c.p, c.q, got, c.want)
		}
	}
	// With half a sample more in each of 3 bins, the parts of 1, 2 and 0 samples are 1.5, 2.5 and .5 of 4.5.
	got := shares([]int{1, 2, 0})
	for i, want := range []float64{1.5 / 4.5, 2.5 / 4.5, .5 / 4.5} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("part %d is %v, want %v", i, got[i], want)
		}
	}
}

func numbers(name, datatype string, shape []int64, values ...float64) Tensor {
	t := Tensor{Name: name, Type: datatype, Shape: shape}
	for _, v := range values {
		switch datatype {
		case "FP32":
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(v)))
		case "FP64":
			t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
		case "INT64":
			t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(int64(v)))
		}
	}
	return t
}

// viewOf returns what is known of one feature.
func viewOf(t *testing.T, d *drift, what string) Drift {
	t.Helper()
	for _, v := range d.views() {
		if v.what() == what {
			return v
		}
	}
	t.Fatalf("there is no %q in %+v", what, d.views())
	return Drift{}
}

// manifestOf has all kinds of features.
func manifestOf() Manifest {
	return Manifest{Name: "m", Version: 1,
		Inputs: []Spec{{"text", "BYTES", []int64{-1}}, {"x", "FP64", []int64{-1, 2}}, {"n", "INT64", []int64{1}}},
		Outputs: []Spec{{"label", "BYTES", []int64{1}}, {"score", "FP32", []int64{1}},
			{"sorts", "FP32", []int64{1, 3}}, {"vector", "FP32", []int64{1, 40}}}}
}

// usual is one request. All of it is moved by shift.
func usual(r *rand.Rand, shift float64) (inputs, outputs []Tensor) {
	sorts := make([]float64, 3)
	at := 0
	if r.Float64() < .3+shift/4 {
		at = 1
	}
	sorts[at] = 1
	vector := make([]float64, 40)
	for i := range vector {
		vector[i] = 1 + r.NormFloat64()
		if i < 20 {
			vector[i] -= shift
		}
	}
	return []Tensor{
			TextTensor("text", strings.Repeat("a", int(100+20*(r.NormFloat64()+shift)))),
			numbers("x", "FP64", []int64{1, 2}, r.NormFloat64()+shift, r.ExpFloat64()*(1+shift)),
			numbers("n", "INT64", []int64{1}, float64(r.IntN(5)+int(5*shift*r.Float64()))),
		}, []Tensor{
			TextTensor("label", []string{"yes", "no"}[at]),
			numbers("score", "FP32", []int64{1}, r.Float64()+shift/2),
			numbers("sorts", "FP32", []int64{1, 3}, sorts...),
			numbers("vector", "FP32", []int64{1, 40}, vector...),
		}
}

var features = []string{"input text length", "input x column 0", "input x column 1", "input n", "output label",
	"output score", "output sorts largest", "output vector norm", "output vector likeness"}

// What comes from the same distribution is near its baseline, and what is shifted is far, whatever is counted.
func TestAShiftRaisesTheIndexAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	d := newDrift(manifestOf(), nil)
	send := func(n int, shift float64) {
		for range n {
			d.observe(usual(r, shift))
		}
	}
	if len(d.features) != len(features) {
		t.Fatalf("%d features", len(d.features))
	}
	send(driftReference+driftWhole-1, 0)
	d.settle()
	if v := viewOf(t, d, "output vector likeness"); v.Source != driftNone || v.Samples != driftWhole-1 || v.Index != nil {
		t.Errorf("one sample less than enough: %+v", v)
	}
	send(1, 0)
	d.settle()
	send(driftLeast-driftReference, 0)
	for _, what := range features {
		if v := viewOf(t, d, what); v.Source != driftFirst || v.Needed != driftLeast {
			t.Errorf("%s: %+v", what, v)
		}
	}
	if v := viewOf(t, d, "output vector likeness"); v.Index != nil || v.Samples != driftLeast-driftReference {
		t.Errorf("an index of too little: %+v", v)
	}
	for round := range 20 {
		send(driftWhole, 0)
		for _, what := range features {
			if v := viewOf(t, d, what); v.Index == nil || *v.Index >= driftSome {
				t.Errorf("round %d: %s is %v without a shift", round, what, *v.Index)
			}
		}
	}
	send(driftWhole, 1)
	for _, what := range features {
		if v := viewOf(t, d, what); v.Index == nil || *v.Index < driftMuch {
			t.Errorf("%s is %v after a shift", what, *v.Index)
		}
	}
	if !d.take() {
		t.Fatal("nothing was taken")
	}
	for _, what := range features {
		if v := viewOf(t, d, what); v.Index != nil || v.Source != driftTaken || v.Samples != 0 {
			t.Errorf("just taken: %s: %+v", what, v)
		}
	}
	send(driftWhole, 1)
	for _, what := range features {
		if v := viewOf(t, d, what); v.Index == nil || *v.Index >= driftSome {
			t.Errorf("%s is %v beside what was taken", what, *v.Index)
		}
	}
}

// Half of the answers change from one class to another: .5 and .5 become about 0 and 1, and a class that nobody saw
// counts as well.
func TestClassesAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	m := Manifest{Inputs: []Spec{{"n", "INT64", []int64{1}}}, Outputs: []Spec{{"label", "BYTES", []int64{1}}}}
	d := newDrift(m, nil)
	send := func(n int, labels ...string) {
		for i := range n {
			d.observe([]Tensor{numbers("n", "INT64", []int64{1}, 7)}, []Tensor{TextTensor("label", labels[i%len(labels)])})
		}
	}
	send(driftWhole, "cat", "dog")
	d.settle()
	send(driftWhole, "cat", "cat", "cat", "dog")
	// 500.5, 500.5 and .5 of 1001.5 became 750.5, 250.5 and .5: .249626 ln(750.5/250.5)
	if v := viewOf(t, d, "output label"); math.Abs(*v.Index-.249626*math.Log(750.5/250.5)) > 1e-5 {
		t.Errorf("three of four: %v", *v.Index)
	}
	if v := viewOf(t, d, "input n"); *v.Index != 0 {
		t.Errorf("always the same number: %v", *v.Index)
	}
	send(driftWhole, "cat", "cow", "dog", "cow")
	if v := viewOf(t, d, "output label"); *v.Index < driftMuch {
		t.Errorf("another class: %v", *v.Index)
	}
}

// Texts that are all different are counted by their length.
func TestTextsThatAreNoClassesAreCountedByLength(t *testing.T) {
	t.Parallel()
	m := Manifest{Inputs: []Spec{{"n", "INT64", []int64{1}}}, Outputs: []Spec{{"text", "BYTES", []int64{1}}}}
	d, r := newDrift(m, nil), rand.New(rand.NewPCG(3, 4))
	send := func(length int) {
		for range driftWhole {
			d.streamed(nil, map[string]int{"text": length + r.IntN(200), "other": 1})
		}
		d.settle()
	}
	send(0)
	send(0)
	if v := viewOf(t, d, "output text"); *v.Index >= driftSome {
		t.Errorf("the same lengths: %v", *v.Index)
	}
	send(150)
	if v := viewOf(t, d, "output text"); *v.Index < driftMuch {
		t.Errorf("longer texts: %v", *v.Index)
	}
	if f := d.features[1]; f.base.Labels || f.base.Edges == nil {
		t.Errorf("%+v", f.base)
	}
}

// Cases beside the model are its baseline at once, and a stored one takes its place.
func TestABaselineOfCases(t *testing.T) {
	t.Parallel()
	m := manifestOf()
	m.Inputs, m.Outputs = m.Inputs[2:], m.Outputs[1:2]
	r := rand.New(rand.NewPCG(5, 6))
	var cases []GoldenCase
	one := func(name, datatype, format string, v any) jsonTensor {
		return jsonTensor{Name: name, Type: datatype, Shape: []int64{1}, Data: json.RawMessage(fmt.Sprintf(format, v))}
	}
	for range driftLeast {
		cases = append(cases, GoldenCase{
			Inputs:  []jsonTensor{one("n", "INT64", "[%d]", r.IntN(9))},
			Outputs: []jsonTensor{one("score", "FP32", "[%f]", r.Float64())},
		})
	}
	d := newDrift(m, cases)
	if v := viewOf(t, d, "output score"); v.Source != driftFile || v.Samples != 0 {
		t.Fatalf("%+v", v)
	}
	if few := newDrift(m, cases[1:]); viewOf(t, few, "output score").Source != driftNone {
		t.Error("too few cases are a baseline")
	}
	for range driftWhole {
		d.observe([]Tensor{numbers("n", "INT64", []int64{1}, float64(r.IntN(9)))},
			[]Tensor{numbers("score", "FP32", []int64{1}, r.Float64()/2)})
	}
	if v := viewOf(t, d, "input n"); *v.Index >= driftSome {
		t.Errorf("the same inputs: %v", *v.Index)
	}
	if v := viewOf(t, d, "output score"); *v.Index < driftMuch {
		t.Errorf("other outputs: %v", *v.Index)
	}
	if value, err := d.keep(); value != "" || err != nil {
		t.Errorf("the baseline of a file is stored: %s, %v", value, err)
	}
	d.take()
	value, err := d.keep()
	must(t, err)
	again := newDrift(m, cases)
	again.follow(value)
	if v := viewOf(t, again, "output score"); v.Source != driftTaken {
		t.Errorf("%+v", v)
	}
	for _, wrong := range []string{"{", strings.Replace(value, again.sum, "another", 1),
		strings.ReplaceAll(value, `"counts":[`, `"counts":[1,`)} {
		other := newDrift(m, cases)
		other.follow(wrong)
		if v := viewOf(t, other, "output score"); v.Source != driftFile {
			t.Errorf("%.60s: %+v", wrong, v)
		}
	}
}

// The baseline of a version is the same after a restart, and is taken anew by who may.
func TestABaselineOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	store := &settings{}
	start := func() *Service {
		s := newServiceWith(t, dir, fast, func(d *Deps) { d.Settings = store })
		until(t, "a worker that is ready", ready(s))
		return s
	}
	s := start()
	by := domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorOperator}}
	change := Change{Action: "baseline", Version: 1}
	if err := s.Change(t.Context(), by, "chaos", change); err == nil ||
		!strings.Contains(err.Error(), "500 samples are needed") {
		t.Errorf("taken of nothing: %v", err)
	}
	texts := make([]string, driftElements)
	for range driftWhole / driftElements {
		for i := range texts {
			texts[i] = strings.Repeat("a", i)
		}
		_, err := s.Infer(t.Context(), Request{Model: "chaos", Inputs: []Tensor{TextTensor("text", texts...)}})
		must(t, err)
	}
	must(t, s.Change(t.Context(), by, "chaos", change))
	is := func(s *Service) Drift { return s.Models()[0].Versions[0].Drift[0] }
	if v := is(s); v.what() != "input text length" || v.Source != driftTaken {
		t.Errorf("%+v", v)
	}
	other := start() // or another node
	until(t, "the stored baseline", func() bool { return is(other).Source == driftTaken })
	if a, b := is(s), is(other); !a.Since.Equal(*b.Since) {
		t.Errorf("%v and %v", a.Since, b.Since)
	}
}

// Who watches sees a version that has drifted, by what has most; before there is enough to say, the series is there.
func TestADriftIsSeenInMetricsAndHealth(t *testing.T) {
	t.Parallel()
	s := New(Deps{On: true, Log: testkit.Logger(t)})
	m := manifestOf()
	m.Inputs, m.Outputs = m.Inputs[2:], m.Outputs[1:2]
	p := &pool{manifest: m, drift: newDrift(m, nil), waiting: newWaiting(1)}
	s.models["m"] = map[int]*entry{1: resting(p)}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{s})
	see := func(input, output float64, named ...domain.HealthProblem) {
		t.Helper()
		families, err := reg.Gather()
		must(t, err)
		got := map[string]float64{}
		for _, f := range families {
			for _, series := range f.GetMetric() {
				if f.GetName() == "ml_drift" {
					got[series.GetLabel()[2].GetValue()] = series.GetGauge().GetValue()
				}
			}
		}
		for what, least := range map[string]float64{"input n": input, "output score": output} {
			if v, ok := got[what]; !ok || math.IsNaN(least) != math.IsNaN(v) || v < least {
				t.Errorf("%s is %v (%v), want %v at least", what, v, ok, least)
			}
		}
		var r domain.HealthReport
		must(t, s.CheckHealth(t.Context(), &r))
		if !slices.Equal(r.Problems, named) {
			t.Errorf("administrators are told %+v, want %+v", r.Problems, named)
		}
	}
	send := func(shift int) {
		for i := range driftWhole {
			p.drift.observe([]Tensor{numbers("n", "INT64", []int64{1}, float64(i%2+shift))},
				[]Tensor{numbers("score", "FP32", []int64{1}, float64(i%100+10*shift))})
		}
	}
	see(math.NaN(), math.NaN())
	send(0)
	p.drift.settle()
	see(math.NaN(), math.NaN())
	send(0)
	see(0, 0)
	send(5)
	see(driftMuch, driftMuch, domain.HealthProblem{Code: "model_drift", Subject: "m 1: input n"})
}

// A request must not notice.
func BenchmarkDrift(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	d := newDrift(manifestOf(), nil)
	inputs, outputs := usual(r, 0)
	for range driftReference {
		d.observe(inputs, outputs)
	}
	b.Run("all kinds", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.observe(inputs, outputs)
		}
	})
	m := manifestOf()
	m.Inputs, m.Outputs = m.Inputs[:1], m.Outputs[:1]
	text := newDrift(m, nil)
	b.Run("text and class", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text.observe(inputs[:1], outputs[:1])
		}
	})
	b.Run("by many", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				d.observe(inputs, outputs)
			}
		})
	})
}

// What is wrong with a baseline.json is said, and a whole one counts.
func TestABaselineThatIsNone(t *testing.T) {
	t.Parallel()
	m := Manifest{Inputs: []Spec{{"n", "INT64", []int64{1}}}, Outputs: []Spec{{"score", "FP32", []int64{1}}}}
	const one = `{"inputs": [{"name": "n", "datatype": "INT64", "shape": [1], "data": [1]}],
		"outputs": [{"name": "score", "datatype": "FP32", "shape": [1], "data": [0.5]}]}`
	list := func(n int) string { return "[" + strings.Repeat(one+",", n-1) + one + "]" }
	for text, want := range map[string]string{
		"no":             "invalid character",
		list(1):          "it has 1 cases; write at least 500, or leave it out",
		list(driftLeast): "",
		strings.Replace(list(driftLeast), `"n"`, `"m"`, 1):            `case 1: not a tensor: "n" is missing`,
		strings.Replace(list(driftLeast), `"FP32"`, `"BYTES"`, 1):     "case 1: ",
		list(driftLeast) + strings.Repeat(" ", baselineMost):          "it has more than 16777216 bytes",
		strings.Replace(list(driftLeast), `"data": [1]`, `"data"`, 1): "invalid character",
	} {
		cases, err := readBaseline(fstest.MapFS{BaselineFile: {Data: []byte(text)}}, m)
		if want == "" && err == nil && len(cases) == driftLeast {
			continue
		}
		said := fmt.Sprint(err)
		if want == "" || !strings.HasPrefix(said, BaselineFile+": ") || !strings.Contains(said, want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	if cases, err := readBaseline(fstest.MapFS{}, m); cases != nil || err != nil {
		t.Errorf("no file: %v, %v", cases, err)
	}
}
