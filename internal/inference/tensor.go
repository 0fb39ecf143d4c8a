package inference

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	pb "github.com/unhidra/unhidra/internal/inference/inferencepb"
	"github.com/unhidra/unhidra/internal/ml"
)

func badRequest(format string, args ...any) error {
	return domain.Invalid.Errorf(domain.CodeInvalidRequest, format, args...)
}

// inference returns what in asks.
func inference(in *pb.ModelInferRequest) (q ml.Inference, err error) {
	q = ml.Inference{Model: in.GetModelName(), Parameters: map[string]any{}}
	if q.Version, err = ml.ParseVersion(in.GetModelVersion()); err != nil {
		return q, err
	}
	for name, p := range in.GetParameters() {
		q.Parameters[name] = parameter(p)
	}
	for _, o := range in.GetOutputs() {
		q.Outputs = append(q.Outputs, o.GetName())
	}
	raw := in.GetRawInputContents()
	if raw != nil && len(raw) != len(in.GetInputs()) {
		return q, badRequest("there are %d inputs and %d raw_input_contents", len(in.GetInputs()), len(raw))
	}
	for i, t := range in.GetInputs() {
		read := ml.Tensor{Name: t.GetName(), Type: strings.ToUpper(t.GetDatatype()), Shape: t.GetShape()}
		switch {
		case raw == nil:
			if read.Data, err = dataOf(read, t.GetContents()); err != nil {
				return q, err
			}
		case t.GetContents() != nil:
			return q, badRequest("the input %q has contents, and raw_input_contents too", t.GetName())
		default:
			read.Data = raw[i]
		}
		if err := read.Check(); err != nil {
			return q, badRequest("%v", err)
		}
		q.Inputs = append(q.Inputs, read)
	}
	return q, nil
}

// parameter returns a parameter as JSON would have it: numbers are float64.
func parameter(p *pb.InferParameter) any {
	switch v := p.GetParameterChoice().(type) {
	case *pb.InferParameter_BoolParam:
		return v.BoolParam
	case *pb.InferParameter_Int64Param:
		return float64(v.Int64Param)
	case *pb.InferParameter_Uint64Param:
		return float64(v.Uint64Param)
	case *pb.InferParameter_DoubleParam:
		return v.DoubleParam
	case *pb.InferParameter_StringParam:
		return v.StringParam
	}
	return nil
}

// dataOf returns the elements of a tensor, little-endian, from the field of its type.
func dataOf(t ml.Tensor, c *pb.InferTensorContents) (data []byte, err error) {
	whole := func(n int64) {
		var ok bool
		if data, ok = ml.AppendInteger(data, t.Type, n); !ok {
			err = badRequest("%d of the input %q is no %s", n, t.Name, t.Type)
		}
	}
	switch t.Type {
	case "BOOL":
		for _, v := range c.GetBoolContents() {
			data = append(data, map[bool]byte{true: 1}[v])
		}
	case "INT8", "INT16", "INT32":
		for _, v := range c.GetIntContents() {
			whole(int64(v))
		}
	case "UINT8", "UINT16", "UINT32":
		for _, v := range c.GetUintContents() {
			whole(int64(v))
		}
	case "INT64":
		for _, v := range c.GetInt64Contents() {
			whole(v)
		}
	case "UINT64":
		for _, v := range c.GetUint64Contents() {
			data = binary.LittleEndian.AppendUint64(data, v)
		}
	case "FP32":
		for _, v := range c.GetFp32Contents() {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
	case "FP64":
		for _, v := range c.GetFp64Contents() {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
	case "BYTES":
		for _, v := range c.GetBytesContents() {
			data = binary.LittleEndian.AppendUint32(data, uint32(len(v))) //nolint:gosec // messages are bounded
			data = append(data, v...)
		}
	}
	return data, err
}

// contentsOf returns the elements of a tensor that was checked, in the field of its type.
func contentsOf(t ml.Tensor) *pb.InferTensorContents {
	c := &pb.InferTensorContents{}
	switch elements := t.Elements().(type) {
	case []string:
		for _, text := range elements {
			c.BytesContents = append(c.BytesContents, []byte(text))
		}
	case []bool:
		c.BoolContents = elements
	case []float32:
		c.Fp32Contents = elements
	case []float64:
		c.Fp64Contents = elements
	case []any:
		for _, e := range elements {
			addInteger(c, t.Type, e)
		}
	}
	return c
}

// addInteger adds an element of a datatype of whole numbers, of which the field may have larger ones.
func addInteger(c *pb.InferTensorContents, datatype string, element any) {
	switch n := element.(type) {
	case int64:
		if datatype == "INT64" {
			c.Int64Contents = append(c.Int64Contents, n)
		} else {
			c.IntContents = append(c.IntContents, int32(n)) //nolint:gosec // it has at most 4 bytes
		}
	case uint64:
		if datatype == "UINT64" {
			c.Uint64Contents = append(c.Uint64Contents, n)
		} else {
			c.UintContents = append(c.UintContents, uint32(n)) //nolint:gosec // it has at most 4 bytes
		}
	}
}
