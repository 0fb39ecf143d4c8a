package embed

import (
	"fmt"
	"math"
)

const (
	chunks  = 17 // parts of the table: piece n is in part n mod 17
	branch  = 256
	feature = Dim + 3*branch
	hidden  = 320
	epsilon = 1e-12
)

// A window is what one of the three branches sees of the neighbours of a piece.
type window struct{ width, left int }

var windows = [3]window{{2, 0}, {3, 1}, {5, 2}}

// network has the weights. Matrices are in the order of rows: the inputs.
type network struct {
	table     [chunks][]byte // of pieces, one row of Dim bytes each
	scale, lo []float32      // of the parts of the table

	proj, projBias    []float32 // from embeddings to the inputs of the branches, side by side
	projGain, projAdd []float32
	branches          [3]branchWeights
	gain, bias        []float32 // of the features

	out, outBias   []float32
	d0, d1, d2, d3 []float32
	p1, p3         []float32
}

type branchWeights struct {
	window
	w1, b1, w2, b2 []float32
}

// weightArrays returns the arrays that the weights consist of, by their names. A part of the table has so many rows.
func weightArrays(rows int) map[string]*array {
	want := map[string]*array{
		"scale": floats(chunks, 1), "lo": floats(chunks, 1), "ln_g": floats(feature, 1), "ln_b": floats(feature, 1),
		"cnn_W": floats(feature, Dim), "cnn_b": floats(Dim, 1), "d0": floats(Dim, hidden), "d1": floats(hidden, hidden),
		"p1": floats(Dim, hidden), "d2": floats(hidden, Dim), "p3": floats(hidden, Dim), "d3": floats(Dim, Dim),
	}
	for i := range chunks {
		want[tableName(i)] = &array{shape: fmt.Sprintf("(%d, %d)", rows, Dim), bytes: make([]byte, rows*Dim)}
	}
	for _, w := range windows {
		for name, a := range map[string]*array{
			"proj%d": floats(Dim, branch), "proj_b%d": floats(branch, 1), "ln_g%d": floats(branch, 1),
			"ln_b%d": floats(branch, 1), "w1_%d": floats(w.width*branch, branch), "b1_%d": floats(branch, 1),
			"w2_%d": floats(w.width*branch, branch), "b2_%d": floats(branch, 1),
		} {
			want[fmt.Sprintf(name, w.width)] = a
		}
	}
	return want
}

func tableName(part int) string { return fmt.Sprintf("q%d", part+1) }

// parseNetwork reads the weights of a model with so many pieces.
func parseNetwork(npz []byte, pieces int) (*network, error) {
	want := weightArrays((pieces + chunks - 1) / chunks)
	if err := readArrays(npz, want); err != nil {
		return nil, err
	}
	n := &network{}
	for i := range n.table {
		n.table[i] = want[tableName(i)].bytes
	}
	get := func(name string) []float32 { return want[name].floats }
	n.scale, n.lo, n.gain, n.bias = get("scale"), get("lo"), get("ln_g"), get("ln_b")
	n.out, n.outBias = get("cnn_W"), get("cnn_b")
	n.d0, n.d1, n.d2, n.d3, n.p1, n.p3 = get("d0"), get("d1"), get("d2"), get("d3"), get("p1"), get("p3")
	n.proj = make([]float32, Dim*3*branch)
	for i, w := range windows {
		of := func(name string) []float32 { return get(fmt.Sprintf(name, w.width)) }
		n.branches[i] = branchWeights{w, of("w1_%d"), of("b1_%d"), of("w2_%d"), of("b2_%d")}
		for row := range Dim {
			copy(n.proj[row*3*branch+i*branch:], of("proj%d")[row*branch:][:branch])
		}
		n.projBias = append(n.projBias, of("proj_b%d")...)
		n.projGain = append(n.projGain, of("ln_g%d")...)
		n.projAdd = append(n.projAdd, of("ln_b%d")...)
	}
	return n, nil
}

// run returns the vector of a text of these pieces, of which there is at least one: their embeddings and, from three
// branches of convolutions, their surroundings, normalised and summed; then a residual network of four layers.
func (n *network) run(ids []int32) (v Vector) {
	tokens := len(ids)
	emb := make([]float32, tokens*Dim)
	for t, id := range ids {
		part, row := id%chunks, int(id/chunks)
		scale, lo := n.scale[part], n.lo[part]
		from, to := n.table[part][row*Dim:][:Dim], emb[t*Dim:][:Dim]
		for i, b := range from {
			to[i] = float32(b)*scale + lo
		}
	}
	features := make([]float32, tokens*feature)
	inputs := make([]float32, tokens*3*branch) // of the branches, which are normalised together
	fill(inputs, n.projBias)
	multiply(inputs, emb, n.proj, tokens, Dim, 3*branch)
	for t := range tokens {
		normalize(inputs[t*3*branch:][:3*branch], n.projGain, n.projAdd)
		copy(features[t*feature:], emb[t*Dim:][:Dim])
	}
	x, h := make([]float32, tokens*branch), make([]float32, tokens*branch)
	for i := range n.branches {
		w := &n.branches[i]
		for t := range tokens {
			copy(x[t*branch:], inputs[t*3*branch+i*branch:][:branch])
		}
		w.convolve(h, x, w.w1, w.b1, tokens)
		w.convolve(x, h, w.w2, w.b2, tokens)
		for t := range tokens {
			copy(features[t*feature+Dim+i*branch:], x[t*branch:][:branch])
		}
	}
	sum := make([]float32, feature)
	for t := range tokens {
		row := features[t*feature:][:feature]
		normalize(row, n.gain, n.bias)
		for i, f := range row {
			sum[i] += f
		}
	}
	mean := make([]float32, Dim)
	multiply(mean, sum, n.out, 1, feature, Dim)
	root := float32(1 / math.Sqrt(float64(tokens)))
	for i := range mean {
		mean[i] = (mean[i] + float32(tokens)*n.outBias[i]) * root
	}
	return n.finish(mean)
}

// finish is the residual network.
func (n *network) finish(mean []float32) (v Vector) {
	y0, y1, y2, z := make([]float32, hidden), make([]float32, hidden), make([]float32, Dim), v[:]
	multiply(y0, mean, n.d0, 1, Dim, hidden)
	rectify(y0)
	multiply(y1, mean, n.p1, 1, Dim, hidden)
	multiply(y1, y0, n.d1, 1, hidden, hidden)
	rectify(y1)
	multiply(y2, y1, n.d2, 1, hidden, Dim)
	rectify(y2)
	multiply(z, y1, n.p3, 1, hidden, Dim)
	multiply(z, y2, n.d3, 1, Dim, Dim)
	var length float64
	for i, x := range z {
		y := math.Tanh(float64(x))
		length += y * y
		z[i] = float32(y)
	}
	root := float32(1 / math.Sqrt(max(length, epsilon)))
	for i := range z {
		z[i] *= root
	}
	return v
}

// convolve sets out to x plus what the windows of x give. Beyond the ends of the text there are zeros.
func (w *branchWeights) convolve(out, x, weights, bias []float32, tokens int) {
	fill(out, bias)
	for k := range w.width {
		shift := k - w.left // of the neighbour
		first, end := max(0, -shift), min(tokens, tokens-shift)
		if first >= end {
			continue
		}
		multiply(out[first*branch:], x[(first+shift)*branch:], weights[k*branch*branch:], end-first, branch, branch)
	}
	rectify(out)
	for i := range out {
		out[i] += x[i]
	}
}

func fill(rows, row []float32) {
	for ; len(rows) > 0; rows = rows[len(row):] {
		copy(rows, row)
	}
}

func rectify(x []float32) {
	for i := range x {
		x[i] = max(x[i], 0)
	}
}

// normalize gives x mean 0 and variance 1, and then applies gain and bias.
func normalize(x, gain, bias []float32) {
	var sum, squares float32
	for _, f := range x {
		sum += f
	}
	mean := sum / float32(len(x))
	for i := range x {
		x[i] -= mean
		squares += x[i] * x[i]
	}
	root := float32(1 / math.Sqrt(float64(squares/float32(len(x)))+epsilon))
	for i := range x {
		x[i] = x[i]*root*gain[i] + bias[i]
	}
}

// multiply adds to out, rows by columns, the product of x, rows by inner, and w, inner by columns. It takes four rows
// of w at a time, and keeps them in the cache for all rows of x. inner is a multiple of four.
func multiply(out, x, w []float32, rows, inner, columns int) {
	for k := 0; k < inner; k += 4 {
		w0, w1 := w[k*columns:][:columns], w[(k+1)*columns:][:columns]
		w2, w3 := w[(k+2)*columns:][:columns], w[(k+3)*columns:][:columns]
		for r := range rows {
			a := x[r*inner+k:][:4]
			a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
			o := out[r*columns:][:columns]
			for i := range o {
				o[i] += a0*w0[i] + a1*w1[i] + a2*w2[i] + a3*w3[i]
			}
		}
	}
}
