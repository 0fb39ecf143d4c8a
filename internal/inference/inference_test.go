package inference

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/unhidra/unhidra/internal/domain"
	pb "github.com/unhidra/unhidra/internal/inference/inferencepb"
	"github.com/unhidra/unhidra/internal/ml"
	"github.com/unhidra/unhidra/internal/testkit"
)

// models answer with their inputs.
type models struct {
	asked  ml.Inference
	loaded []bool
	err    error
	left   chan struct{} // closed when a chunk is not taken
}

func (m *models) Health() ml.Health { return ml.Health{On: true, Ready: true} }

func (m *models) Index() []ml.IndexRow {
	return []ml.IndexRow{{Name: "echo", Version: "1", State: ml.StateUnavailable, Reason: "unloaded"},
		{Name: "echo", Version: "2", State: ml.StateReady}}
}

func (m *models) Describe(model string, version int) (ml.Metadata, bool, error) {
	if model != "echo" || version > 2 {
		return ml.Metadata{}, false, domain.NotFound.Errorf(domain.CodeNoRoute, "there is no model %q", model)
	}
	return ml.Metadata{Name: model, Versions: []string{"1", "2"}, Platform: "test",
		Inputs: []ml.Spec{{Name: "x", Type: "FP32", Shape: []int64{-1}}}}, version != 1, nil
}

func (m *models) Serve(_ context.Context, q ml.Inference) (ml.Answer, error) {
	m.asked = q
	return ml.Answer{Version: 2, Variant: "default", Outputs: q.Inputs}, m.err
}

// ServeChunks answers with its inputs as often as the parameter chunks says.
func (m *models) ServeChunks(_ context.Context, q ml.Inference, yield func(ml.Answer) error) error {
	m.asked = q
	chunks, _ := q.Parameters["chunks"].(float64)
	for range int(chunks) {
		if err := yield(ml.Answer{Version: 2, Variant: "default", Outputs: q.Inputs}); err != nil {
			close(m.left)
			return err
		}
	}
	return m.err
}

func (m *models) Allowed(authorization string) error {
	if authorization != "Bearer the key" {
		return domain.Unauthorized.Errorf("", "only who has the server's key may change this")
	}
	return nil
}

func (m *models) SetLoaded(_ context.Context, _ string, load bool) error {
	m.loaded = append(m.loaded, load)
	return nil
}

// serve returns a client of a server that asks m.
func serve(t *testing.T, m *models) pb.GRPCInferenceServiceClient {
	t.Helper()
	return clientOf(t, New(m, testkit.Logger(t)))
}

func clientOf(t *testing.T, server *Server) pb.GRPCInferenceServiceClient {
	t.Helper()
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	s := httptest.NewUnstartedServer(server.Handler(next))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	if r, err := s.Client().Get(s.URL); err != nil || r.StatusCode != http.StatusTeapot {
		t.Fatalf("what is no gRPC is answered with %v, %v", r, err)
	} else if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := grpc.NewClient(strings.TrimPrefix(s.URL, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return pb.NewGRPCInferenceServiceClient(c)
}

func TestWhatIsThere(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t, &models{}), t.Context()
	live, err := c.ServerLive(ctx, &pb.ServerLiveRequest{})
	if err != nil || !live.GetLive() {
		t.Errorf("live: %v, %v", live, err)
	}
	ready, err := c.ServerReady(ctx, &pb.ServerReadyRequest{})
	if err != nil || !ready.GetReady() {
		t.Errorf("ready: %v, %v", ready, err)
	}
	server, err := c.ServerMetadata(ctx, &pb.ServerMetadataRequest{})
	if err != nil || server.GetName() != "unhidra" || !slices.Contains(server.GetExtensions(), "binary_tensor_data") {
		t.Errorf("the server: %v, %v", server, err)
	}
	for version, want := range map[string]bool{"1": false, "2": true, "": true} {
		r, err := c.ModelReady(ctx, &pb.ModelReadyRequest{Name: "echo", Version: version})
		if err != nil || r.GetReady() != want {
			t.Errorf("version %q: %v, %v", version, r, err)
		}
	}
	about, err := c.ModelMetadata(ctx, &pb.ModelMetadataRequest{Name: "echo"})
	if err != nil || len(about.GetVersions()) != 2 || about.GetInputs()[0].GetDatatype() != "FP32" {
		t.Errorf("the model: %v, %v", about, err)
	}
	for name, version := range map[string]string{"none": "", "echo": "first"} {
		_, err := c.ModelMetadata(ctx, &pb.ModelMetadataRequest{Name: name, Version: version})
		if status.Code(err) != codes.NotFound {
			t.Errorf("%s %s: %v", name, version, err)
		}
	}
	for ready, want := range map[bool]int{false: 2, true: 1} {
		index, err := c.RepositoryIndex(ctx, &pb.RepositoryIndexRequest{Ready: ready})
		if err != nil || len(index.GetModels()) != want {
			t.Errorf("the index: %v, %v", index, err)
		}
	}
}

func TestLoadingNeedsTheKey(t *testing.T) {
	t.Parallel()
	m := &models{}
	c, ctx := serve(t, m), t.Context()
	_, err := c.RepositoryModelUnload(ctx, &pb.RepositoryModelUnloadRequest{ModelName: "echo"})
	if status.Code(err) != codes.Unauthenticated || len(m.loaded) > 0 {
		t.Errorf("without the key: %v", err)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer the key")
	_, unload := c.RepositoryModelUnload(ctx, &pb.RepositoryModelUnloadRequest{ModelName: "echo"})
	_, load := c.RepositoryModelLoad(ctx, &pb.RepositoryModelLoadRequest{ModelName: "echo"})
	if err := errors.Join(unload, load); err != nil || !slices.Equal(m.loaded, []bool{false, true}) {
		t.Errorf("with it: %v, %v", m.loaded, err)
	}
}

// tensors has one of each type, with its least and greatest.
func tensors() []*pb.ModelInferRequest_InferInputTensor {
	of := func(datatype string, size int64, c *pb.InferTensorContents) *pb.ModelInferRequest_InferInputTensor {
		return &pb.ModelInferRequest_InferInputTensor{Name: "x" + datatype, Datatype: datatype, Shape: []int64{size},
			Contents: c}
	}
	return []*pb.ModelInferRequest_InferInputTensor{
		of("BOOL", 2, &pb.InferTensorContents{BoolContents: []bool{true, false}}),
		of("INT8", 2, &pb.InferTensorContents{IntContents: []int32{-128, 127}}),
		of("INT16", 2, &pb.InferTensorContents{IntContents: []int32{-32768, 32767}}),
		of("INT32", 2, &pb.InferTensorContents{IntContents: []int32{-1 << 31, 1<<31 - 1}}),
		of("INT64", 2, &pb.InferTensorContents{Int64Contents: []int64{-1 << 63, 1<<63 - 1}}),
		of("UINT8", 1, &pb.InferTensorContents{UintContents: []uint32{255}}),
		of("UINT16", 1, &pb.InferTensorContents{UintContents: []uint32{65535}}),
		of("UINT32", 1, &pb.InferTensorContents{UintContents: []uint32{1<<32 - 1}}),
		of("UINT64", 1, &pb.InferTensorContents{Uint64Contents: []uint64{1<<64 - 1}}),
		of("FP32", 2, &pb.InferTensorContents{Fp32Contents: []float32{0.1, -2}}),
		of("FP64", 1, &pb.InferTensorContents{Fp64Contents: []float64{0.1}}),
		of("BYTES", 2, &pb.InferTensorContents{BytesContents: [][]byte{[]byte("ж"), {}}}),
	}
}

func TestTensorsComeAsTheyGo(t *testing.T) {
	t.Parallel()
	m := &models{}
	c, ctx := serve(t, m), t.Context()
	in := &pb.ModelInferRequest{ModelName: "echo", ModelVersion: "2", Id: "q1", Inputs: tensors(),
		Outputs: []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "xBOOL"}},
		Parameters: map[string]*pb.InferParameter{
			"user":    {ParameterChoice: &pb.InferParameter_StringParam{StringParam: "ann"}},
			"timeout": {ParameterChoice: &pb.InferParameter_Int64Param{Int64Param: 5000}}}}
	out, err := c.ModelInfer(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if m.asked.Version != 2 || m.asked.Parameters["user"] != "ann" || m.asked.Parameters["timeout"] != 5000.0 ||
		!slices.Equal(m.asked.Outputs, []string{"xBOOL"}) {
		t.Errorf("asked was %+v", m.asked)
	}
	if out.GetId() != "q1" || out.GetModelVersion() != "2" ||
		out.GetParameters()["variant"].GetStringParam() != "default" {
		t.Errorf("the answer is %v", out)
	}
	raw := &pb.ModelInferRequest{ModelName: "echo"}
	for i, want := range in.GetInputs() {
		if got := out.GetOutputs()[i].GetContents(); !proto.Equal(got, want.GetContents()) {
			t.Errorf("%s came as %v", want.GetName(), got)
		}
		bare := &pb.ModelInferRequest_InferInputTensor{Name: want.GetName(), Datatype: want.GetDatatype(),
			Shape: want.GetShape()}
		raw.Inputs = append(raw.Inputs, bare)
		raw.RawInputContents = append(raw.RawInputContents, m.asked.Inputs[i].Data)
	}
	out, err = c.ModelInfer(ctx, raw)
	if err != nil || out.GetOutputs()[0].GetContents() != nil ||
		!slices.EqualFunc(out.GetRawOutputContents(), raw.GetRawInputContents(), slices.Equal) {
		t.Errorf("raw contents come as %v, %v", out, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	one := func(change func(*pb.ModelInferRequest)) *pb.ModelInferRequest {
		in := &pb.ModelInferRequest{ModelName: "echo", Inputs: tensors()[1:2]}
		change(in)
		return in
	}
	failing := func(err error) *models { return &models{err: err} }
	busy := domain.Unavailable.Errorf(domain.CodeBusy, "256 requests wait")
	for name, c := range map[string]struct {
		m    *models
		in   *pb.ModelInferRequest
		code codes.Code
		says string
	}{
		"a version": {&models{}, one(func(in *pb.ModelInferRequest) { in.ModelVersion = "x" }), codes.NotFound,
			"whole numbers"},
		"a type": {&models{}, one(func(in *pb.ModelInferRequest) { in.Inputs[0].Datatype = "FP16" }),
			codes.InvalidArgument, `"FP16"`},
		"a number": {&models{}, one(func(in *pb.ModelInferRequest) { in.Inputs[0].Contents.IntContents[0] = 128 }),
			codes.InvalidArgument, "no INT8"},
		"a shape": {&models{}, one(func(in *pb.ModelInferRequest) { in.Inputs[0].Shape = []int64{3} }),
			codes.InvalidArgument, "shape"},
		"a shape of many": {&models{}, one(func(in *pb.ModelInferRequest) { in.Inputs[0].Shape = []int64{1 << 40} }),
			codes.InvalidArgument, "shape"},
		"the field of another type": {&models{}, one(func(in *pb.ModelInferRequest) {
			in.Inputs[0].Contents = &pb.InferTensorContents{Fp32Contents: []float32{1, 2}}
		}), codes.InvalidArgument, "shape"},
		"raw contents of no input": {&models{}, one(func(in *pb.ModelInferRequest) {
			in.RawInputContents = [][]byte{{1}, {2}}
		}), codes.InvalidArgument, "1 inputs and 2"},
		"contents twice": {&models{}, one(func(in *pb.ModelInferRequest) { in.RawInputContents = [][]byte{{1, 2}} }),
			codes.InvalidArgument, "too"},
		"a busy model":  {failing(busy), one(func(*pb.ModelInferRequest) {}), codes.Unavailable, "256 requests wait"},
		"what is wrong": {failing(errors.New("secret")), one(func(*pb.ModelInferRequest) {}), codes.Internal, "the log says"},
		"a request of more than 16 MiB": {&models{}, one(func(in *pb.ModelInferRequest) {
			in.Inputs[0].Contents, in.RawInputContents = nil, [][]byte{make([]byte, ml.MaxBody)}
		}), codes.ResourceExhausted, "larger than max"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, c.m).ModelInfer(t.Context(), c.in)
			if status.Code(err) != c.code || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("it says %v", err)
			}
		})
	}
}
