package inference

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unhidra/unhidra/internal/domain"
	pb "github.com/unhidra/unhidra/internal/inference/inferencepb"
	"github.com/unhidra/unhidra/internal/testkit"
)

// ask is a request of the model echo for so many chunks.
func ask(id string, chunks int64, final bool) *pb.ModelInferRequest {
	in := &pb.ModelInferRequest{ModelName: "echo", Id: id, Parameters: map[string]*pb.InferParameter{
		"chunks": {ParameterChoice: &pb.InferParameter_Int64Param{Int64Param: chunks}}},
		Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1},
			Contents: &pb.InferTensorContents{Fp32Contents: []float32{7}}}}}
	if final {
		in.Parameters[wantsFinal] = &pb.InferParameter{ParameterChoice: &pb.InferParameter_BoolParam{BoolParam: true}}
	}
	return in
}

func openStream(t *testing.T, s *Server) pb.GRPCInferenceService_ModelStreamInferClient {
	t.Helper()
	stream, err := clientOf(t, s).ModelStreamInfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// Each request of a stream is answered by the chunks of its answer, in their order, and by what is wrong with it. Who
// asks for that learns which response is the last.
func TestStreams(t *testing.T) {
	t.Parallel()
	m := &models{}
	stream := openStream(t, New(m, testkit.Logger(t)))
	hear := func(id string, final, value, wrong string) {
		t.Helper()
		out, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		answer := out.GetInferResponse()
		flag, has := answer.GetParameters()[isFinal]
		said := map[bool]string{true: map[bool]string{true: "yes", false: "no"}[flag.GetBoolParam()]}[has]
		numbers := ""
		if o := answer.GetOutputs(); len(o) == 1 && len(o[0].GetContents().GetFp32Contents()) == 1 {
			numbers = "7"
		}
		if answer.GetId() != id || said != final || numbers != value || !strings.Contains(out.GetErrorMessage(), wrong) ||
			(wrong == "") != (out.GetErrorMessage() == "") {
			t.Errorf("the response is %v, and not %s, final %q, %q, %q", out, id, final, value, wrong)
		}
	}
	send := func(in *pb.ModelInferRequest) {
		t.Helper()
		if err := stream.Send(in); err != nil {
			t.Fatal(err)
		}
	}
	send(ask("a", 2, false))
	send(ask("b", 1, true)) // before a is answered
	hear("a", "", "7", "")
	hear("a", "", "7", "")
	hear("b", "no", "7", "")
	hear("b", "yes", "", "")
	if _, told := m.asked.Parameters[wantsFinal]; told {
		t.Error("the model is told a parameter of the protocol")
	}
	wrong := ask("c", 1, false)
	wrong.Inputs[0].Shape[0] = 2
	send(wrong)
	hear("c", "", "", "x")
	m.err = domain.Unavailable.Errorf("", "its worker has ended")
	send(ask("d", 1, true))
	hear("d", "no", "7", "")
	hear("d", "yes", "", "its worker has ended")
	m.err = errors.New("a secret")
	send(ask("e", 0, false))
	hear("e", "", "", "the log says")
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after its end: %v", err)
	}
}

// A stream on which nothing is asked ends with the server, and one that nobody reads after a time.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	s := New(&models{}, testkit.Logger(t))
	idle := openStream(t, s)
	if err := idle.Send(ask("a", 1, false)); err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Recv(); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := idle.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end of the server: %v", err)
	}

	m := &models{left: make(chan struct{})}
	s = New(m, testkit.Logger(t))
	s.take = 200 * time.Millisecond
	unread := openStream(t, s)
	large := ask("b", 1<<30, false)
	large.Inputs[0].Shape[0] = 10_000
	large.Inputs[0].Contents.Fp32Contents = make([]float32, 10_000)
	if err := unread.Send(large); err != nil {
		t.Fatal(err)
	}
	<-m.left // nothing is read meanwhile
	for {
		_, err := unread.Recv()
		if err == nil {
			continue
		}
		if code := status.Code(err); code != codes.Unavailable && code != codes.Internal && code != codes.Canceled {
			t.Errorf("who does not read is told %v", err)
		}
		return
	}
}
