package inference

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/unhidra/unhidra/internal/inference/inferencepb"
	"github.com/unhidra/unhidra/internal/ml"
)

// Parameters of Triton about streams: a request may ask for a response without outputs after its last, and that says
// that it is the last, as the others say that they are not.
const (
	wantsFinal = "triton_enable_empty_final_response"
	isFinal    = "triton_final_response"
)

const takeTime = 30 * time.Second // for whoever reads a stream to take a response

// deadlines are those of the answer to a request, until it has ended: gRPC may still be working on it then, and nothing
// of it may be touched any more.
type deadlines struct {
	mu    sync.Mutex
	of    *http.ResponseController
	ended bool
}

func (d *deadlines) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ended {
		_ = d.of.SetWriteDeadline(at) // fails only for a test's recorder
	}
}

func (d *deadlines) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
}

type deadlinesKey struct{}

// withDeadlines has what serves a request reach the deadlines of its answer: that of a listener is not for streams.
func withDeadlines(r *http.Request, d *deadlines) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), deadlinesKey{}, d))
}

type inferStream = grpc.BidiStreamingServer[pb.ModelInferRequest, pb.ModelStreamInferResponse]

// ModelStreamInfer answers the requests of a stream, one after the other, each with one response or more.
func (s *Server) ModelStreamInfer(stream inferStream) error {
	r := &responses{inferStream: stream, take: s.take}
	r.deadlines = stream.Context().Value(deadlinesKey{}).(*deadlines) // Handler puts it there
	r.deadlines.set(time.Time{})
	asked := make(chan *pb.ModelInferRequest)
	ended := make(chan error, 1)
	go func() {
		for {
			in, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case asked <- in:
			case <-stream.Context().Done(): // also once this method has returned
				return
			}
		}
	}()
	for {
		select {
		case <-s.stopped:
			return nil
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case in := <-asked:
			if err := s.answer(in, r); err != nil {
				return err
			}
		}
	}
}

// responses are those of a stream, of which each must be taken in time.
type responses struct {
	inferStream
	deadlines *deadlines
	take      time.Duration
	broken    error // why the last could not be sent
}

func (r *responses) send(out *pb.ModelStreamInferResponse) error {
	r.deadlines.set(time.Now().Add(r.take))
	r.broken = r.Send(out)
	r.deadlines.set(time.Time{})
	return r.broken
}

// answer answers in. What is wrong with it, or with the model, is a response too; an error is about the stream.
func (s *Server) answer(in *pb.ModelInferRequest, r *responses) error {
	ctx := r.Context()
	q, err := inference(in)
	tellsLast, _ := q.Parameters[wantsFinal].(bool)
	delete(q.Parameters, wantsFinal)
	respond := func(out *pb.ModelInferResponse, last bool, wrong string) error {
		if tellsLast {
			if out.Parameters == nil {
				out.Parameters = map[string]*pb.InferParameter{}
			}
			out.Parameters[isFinal] = &pb.InferParameter{ParameterChoice: &pb.InferParameter_BoolParam{BoolParam: last}}
		}
		return r.send(&pb.ModelStreamInferResponse{InferResponse: out, ErrorMessage: wrong})
	}
	if err == nil {
		err = s.models.ServeChunks(ctx, q, func(a ml.Answer) error { return respond(answered(in, a), false, "") })
	}
	end := &pb.ModelInferResponse{ModelName: in.GetModelName(), ModelVersion: in.GetModelVersion(), Id: in.GetId()}
	switch {
	case r.broken != nil:
		return r.broken
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return respond(end, true, status.Convert(s.failed(ctx, in.GetModelName(), err)).Message())
	case tellsLast:
		return respond(end, true, "")
	}
	return nil
}
