package ml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// A Tensor is one input or output of a model. Data are its elements, little-endian, the last index
// fastest; of BYTES each is its length in four bytes and then itself.
type Tensor struct {
	Name  string
	Type  string // as the Open Inference Protocol names it: FP32, INT64, BYTES, …
	Shape []int64
	Data  []byte
}

// maxElements of one tensor.
const maxElements = 4 << 20

// typeSizes are the bytes of one element.
var typeSizes = map[string]int{"BOOL": 1, "INT8": 1, "UINT8": 1, "INT16": 2, "UINT16": 2, "INT32": 4, "UINT32": 4,
	"INT64": 8, "UINT64": 8, "FP32": 4, "FP64": 8, "BYTES": 0}

var errTensor = errors.New("not a tensor")

// Check says what is wrong with t: its type, that its data do not fit its shape, or numbers that are none.
func (t Tensor) Check() error {
	size, known := typeSizes[t.Type]
	if !known {
		return fmt.Errorf("%w: %q has the type %q", errTensor, t.Name, t.Type)
	}
	count, err := t.count()
	if err != nil {
		return err
	}
	if t.Type == "BYTES" {
		texts, err := t.Texts()
		if err == nil && int64(len(texts)) != count {
			err = fmt.Errorf("%w: %q has %d texts, and the shape %v", errTensor, t.Name, len(texts), t.Shape)
		}
		return err
	}
	if int64(len(t.Data)) != count*int64(size) {
		return fmt.Errorf("%w: %q has %d bytes, and the shape %v of %s", errTensor, t.Name, len(t.Data), t.Shape, t.Type)
	}
	if t.Type == "FP32" || t.Type == "FP64" {
		if !t.finite() {
			return fmt.Errorf("%w: %q has a number that is infinite or none", errTensor, t.Name)
		}
	}
	return nil
}

// count returns how many elements the shape says.
func (t Tensor) count() (int64, error) {
	count := int64(1)
	for _, n := range t.Shape {
		if n < 0 || n > maxElements || len(t.Shape) > 8 {
			return 0, fmt.Errorf("%w: %q has the shape %v", errTensor, t.Name, t.Shape)
		}
		if count *= n; count > maxElements {
			return 0, fmt.Errorf("%w: %q has more than %d elements", errTensor, t.Name, maxElements)
		}
	}
	return count, nil
}

// Texts returns the elements of a tensor of BYTES.
func (t Tensor) Texts() ([]string, error) {
	var texts []string
	for b := t.Data; len(b) > 0; {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) || len(texts) >= maxElements {
			return nil, fmt.Errorf("%w: the texts of %q end early", errTensor, t.Name)
		}
		n := int(binary.LittleEndian.Uint32(b))
		if !utf8.Valid(b[4 : 4+n]) {
			return nil, fmt.Errorf("%w: %q has a text that is not UTF-8", errTensor, t.Name)
		}
		texts = append(texts, string(b[4:4+n]))
		b = b[4+n:]
	}
	return texts, nil
}

// TextTensor returns texts as one of BYTES.
func TextTensor(name string, texts ...string) Tensor {
	t := Tensor{Name: name, Type: "BYTES", Shape: []int64{int64(len(texts))}}
	for _, text := range texts {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, uint32(len(text))) //nolint:gosec // messages are bounded
		t.Data = append(t.Data, text...)
	}
	return t
}

// textBytes returns the length of all texts of t, which has been checked.
func (t *Tensor) textBytes() int {
	count, _ := t.count()
	return len(t.Data) - 4*int(count)
}

// elements returns how many numbers t has, which has been checked.
func (t *Tensor) elements() int {
	return len(t.Data) / max(1, typeSizes[t.Type])
}

// number returns the number at place i.
func (t *Tensor) number(i int) float64 {
	b := t.Data
	switch t.Type {
	case "FP32":
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	case "FP64":
		return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	case "INT64":
		return float64(int64(binary.LittleEndian.Uint64(b[8*i:]))) //nolint:gosec // that is how it is sent
	case "UINT64":
		return float64(binary.LittleEndian.Uint64(b[8*i:]))
	case "INT32":
		return float64(int32(binary.LittleEndian.Uint32(b[4*i:]))) //nolint:gosec // that is how it is sent
	case "UINT32":
		return float64(binary.LittleEndian.Uint32(b[4*i:]))
	case "INT16":
		return float64(int16(binary.LittleEndian.Uint16(b[2*i:]))) //nolint:gosec // that is how it is sent
	case "UINT16":
		return float64(binary.LittleEndian.Uint16(b[2*i:]))
	case "INT8":
		return float64(int8(b[i])) //nolint:gosec // that is how it is sent
	}
	return float64(b[i]) // BOOL, UINT8
}

// finite says whether all elements of FP32 or FP64 are numbers: those that are none, or infinite, have all bits of the
// exponent.
func (t Tensor) finite() bool {
	b := t.Data
	if t.Type == "FP32" {
		const exponent = 0xff << 23
		for ; len(b) >= 4; b = b[4:] {
			if binary.LittleEndian.Uint32(b)&exponent == exponent {
				return false
			}
		}
		return true
	}
	const exponent = 0x7ff << 52
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&exponent == exponent {
			return false
		}
	}
	return true
}

func (t Tensor) floats() []float64 {
	numbers := make([]float64, 0, len(t.Data)/typeSizes[t.Type])
	for b := t.Data; len(b) > 0; {
		if t.Type == "FP32" {
			numbers = append(numbers, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
			b = b[4:]
			continue
		}
		numbers = append(numbers, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		b = b[8:]
	}
	return numbers
}

// packTensors returns tensors as they are sent.
func packTensors(tensors []Tensor) []any {
	packed := make([]any, 0, len(tensors))
	for _, t := range tensors {
		shape := make([]any, 0, len(t.Shape))
		for _, n := range t.Shape {
			shape = append(shape, n)
		}
		packed = append(packed, map[string]any{"name": t.Name, "datatype": t.Type, "shape": shape, "data": t.Data})
	}
	return packed
}

// packedSize returns at least what packTensors takes when it is packed.
func packedSize(tensors []Tensor) int {
	size := 8 // the length of the list
	for _, t := range tensors {
		size += 64 + len(t.Name) + 9*len(t.Shape) + len(t.Data) // 64: four keys, the type, and the lengths
	}
	return size
}

// unpackTensors reads what a worker sent, and checks each.
func unpackTensors(v any) ([]Tensor, error) {
	items, ok := v.([]any)
	if !ok || len(items) > 64 {
		return nil, fmt.Errorf("%w: no list of at most 64", errTensor)
	}
	tensors := make([]Tensor, 0, len(items))
	for _, item := range items {
		fields, _ := item.(map[string]any)
		var t Tensor
		t.Name, _ = fields["name"].(string)
		t.Type, _ = fields["datatype"].(string)
		t.Data, _ = fields["data"].([]byte)
		shape, _ := fields["shape"].([]any)
		for _, n := range shape {
			size, ok := n.(int64)
			if !ok {
				return nil, fmt.Errorf("%w: %q has the shape %v", errTensor, t.Name, shape)
			}
			t.Shape = append(t.Shape, size)
		}
		if err := t.Check(); err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}
