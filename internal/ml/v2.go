package ml

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Tensors in JSON, as the Open Inference Protocol V2 has them: data in order, flat or nested.
type jsonTensor struct {
	Name  string          `json:"name"`
	Shape []int64         `json:"shape"`
	Type  string          `json:"datatype"`
	Data  json.RawMessage `json:"data"`
}

// fromJSON returns the tensors that in has.
func fromJSON(in []jsonTensor) ([]Tensor, error) {
	tensors := make([]Tensor, 0, len(in))
	for _, j := range in {
		t := Tensor{Name: j.Name, Type: strings.ToUpper(j.Type), Shape: j.Shape}
		if err := t.readData(j.Data); err != nil {
			return nil, err
		}
		if err := t.Check(); err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

func (t *Tensor) readData(data json.RawMessage) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	depth := 0
	for count := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return fmt.Errorf("%w: the data of %q are no list", errTensor, t.Name)
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '[':
				depth++
			case ']':
				depth--
			default:
				return fmt.Errorf("%w: %q has an object in its data", errTensor, t.Name)
			}
		default:
			if count++; count > maxElements {
				return fmt.Errorf("%w: %q has more than %d elements", errTensor, t.Name, maxElements)
			}
			if err := t.add(v); err != nil {
				return err
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// ranges of whole numbers. UINT64 is read up to the greatest of INT64.
var ranges = map[string][2]int64{
	"INT8": {math.MinInt8, math.MaxInt8}, "INT16": {math.MinInt16, math.MaxInt16},
	"INT32": {math.MinInt32, math.MaxInt32}, "INT64": {math.MinInt64, math.MaxInt64},
	"UINT8": {0, math.MaxUint8}, "UINT16": {0, math.MaxUint16}, "UINT32": {0, math.MaxUint32},
	"UINT64": {0, math.MaxInt64},
}

// AppendInteger appends a whole number as an element of a datatype. ok is false if that has no such number.
func AppendInteger(data []byte, datatype string, n int64) (_ []byte, ok bool) {
	r, whole := ranges[datatype]
	if !whole || n < r[0] || n > r[1] {
		return data, false
	}
	wide := binary.LittleEndian.AppendUint64(nil, uint64(n)) //nolint:gosec // two's complement
	return append(data, wide[:typeSizes[datatype]]...), true
}

// add appends one element, as JSON has it.
func (t *Tensor) add(v any) error {
	bad := fmt.Errorf("%w: %q has an element that is no %s", errTensor, t.Name, t.Type)
	switch v := v.(type) {
	case string:
		if t.Type != "BYTES" {
			return bad
		}
		t.Data = binary.LittleEndian.AppendUint32(t.Data, uint32(len(v))) //nolint:gosec // bodies are bounded
		t.Data = append(t.Data, v...)
		return nil
	case bool:
		if t.Type != "BOOL" {
			return bad
		}
		t.Data = append(t.Data, map[bool]byte{true: 1}[v])
		return nil
	case json.Number:
		return t.addNumber(v, bad)
	}
	return bad
}

func (t *Tensor) addNumber(v json.Number, bad error) error {
	switch _, whole := ranges[t.Type]; {
	case whole:
		n, err := v.Int64()
		data, ok := AppendInteger(t.Data, t.Type, n)
		if err != nil || !ok {
			return bad
		}
		t.Data = data
	case t.Type == "FP32", t.Type == "FP64":
		f, err := v.Float64()
		if err != nil {
			return bad
		}
		if t.Type == "FP32" {
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(f)))
		} else {
			t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(f))
		}
	default:
		return bad
	}
	return nil
}

// toJSON returns tensors that were checked, as JSON has them.
func toJSON(tensors []Tensor) ([]jsonTensor, error) {
	out := make([]jsonTensor, 0, len(tensors))
	for _, t := range tensors {
		data, err := json.Marshal(t.Elements())
		if err != nil {
			return nil, err
		}
		out = append(out, jsonTensor{Name: t.Name, Shape: t.Shape, Type: t.Type, Data: data})
	}
	return out, nil
}

// Elements returns the elements of a tensor that was checked: a []string, []bool, []float32 or []float64, or of whole
// numbers a []any with an int64 or, of types without a sign, a uint64 each.
func (t Tensor) Elements() any {
	switch t.Type {
	case "BYTES":
		texts, _ := t.Texts()
		return append([]string{}, texts...)
	case "FP32":
		floats := make([]float32, 0, len(t.Data)/4)
		for b := t.Data; len(b) > 0; b = b[4:] {
			floats = append(floats, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return floats
	case "FP64":
		return append([]float64{}, t.floats()...)
	case "BOOL":
		bits := make([]bool, 0, len(t.Data))
		for _, b := range t.Data {
			bits = append(bits, b != 0)
		}
		return bits
	}
	size := typeSizes[t.Type]
	numbers := make([]any, 0, len(t.Data)/size)
	for b := t.Data; len(b) > 0; b = b[size:] {
		var wide [8]byte
		copy(wide[:], b[:size])
		n := binary.LittleEndian.Uint64(wide[:])
		if t.Type[0] == 'I' {
			shift := 64 - 8*size
			numbers = append(numbers, int64(n<<shift)>>shift) //nolint:gosec // extends the sign
		} else {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
