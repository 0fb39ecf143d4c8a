// Package inference serves the Open Inference Protocol V2 over gRPC. By REST package ml serves it itself.
package inference

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/unhidra/unhidra/internal/domain"
	pb "github.com/unhidra/unhidra/internal/inference/inferencepb"
	"github.com/unhidra/unhidra/internal/ml"
)

// Models are what is asked.
type Models interface {
	Health() ml.Health
	Index() []ml.IndexRow
	Describe(model string, version int) (m ml.Metadata, ready bool, err error)
	Serve(ctx context.Context, q ml.Inference) (ml.Answer, error)
	ServeChunks(ctx context.Context, q ml.Inference, yield func(ml.Answer) error) error
	Allowed(authorization string) error
	SetLoaded(ctx context.Context, model string, load bool) error
}

// A Server is the service of the protocol.
type Server struct {
	pb.UnimplementedGRPCInferenceServiceServer
	models  Models
	log     *slog.Logger
	grpc    *grpc.Server
	take    time.Duration // for whoever reads a stream to take a response
	stop    sync.Once
	stopped chan struct{}
}

// New returns a server of models.
func New(models Models, log *slog.Logger) *Server {
	s := &Server{models: models, log: log, take: takeTime, stopped: make(chan struct{}),
		grpc: grpc.NewServer(grpc.MaxRecvMsgSize(ml.MaxBody), grpc.MaxSendMsgSize(ml.MaxBody))}
	pb.RegisterGRPCInferenceServiceServer(s.grpc, s)
	return s
}

// Handler serves gRPC, which must come by HTTP/2, and leaves all other requests to next. It asks for no password but
// to load and unload models: it is for the operator's listener.
func (s *Server) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			next.ServeHTTP(w, r)
			return
		}
		d := &deadlines{of: http.NewResponseController(w)}
		defer d.end()
		s.grpc.ServeHTTP(w, withDeadlines(r, d))
	})
}

// Stop ends streams once what was asked on them is answered.
func (s *Server) Stop() { s.stop.Do(func() { close(s.stopped) }) }

// grpcCodes are the codes of gRPC for kinds of errors.
func grpcCodes() map[domain.Kind]codes.Code {
	return map[domain.Kind]codes.Code{
		domain.Invalid: codes.InvalidArgument, domain.Unauthorized: codes.Unauthenticated,
		domain.Forbidden: codes.PermissionDenied, domain.NotFound: codes.NotFound,
		domain.Conflict: codes.FailedPrecondition, domain.TooLarge: codes.ResourceExhausted,
		domain.RateLimited: codes.ResourceExhausted, domain.Unavailable: codes.Unavailable,
	}
}

// failed returns err as gRPC has it. What is not for whoever asks goes into the log.
func (s *Server) failed(ctx context.Context, model string, err error) error {
	if err == nil {
		return nil
	}
	text := "something went wrong here; the log says what"
	var e *domain.Error
	if errors.As(err, &e) {
		text = e.Msg
	}
	code, known := grpcCodes()[domain.KindOf(err)]
	if !known {
		code = codes.Internal
		s.log.WarnContext(ctx, "a model failed on a request", "model", model, "err", err)
	}
	return status.Error(code, text)
}

func (s *Server) ServerLive(context.Context, *pb.ServerLiveRequest) (*pb.ServerLiveResponse, error) {
	return &pb.ServerLiveResponse{Live: true}, nil
}

func (s *Server) ServerReady(context.Context, *pb.ServerReadyRequest) (*pb.ServerReadyResponse, error) {
	return &pb.ServerReadyResponse{Ready: s.models.Health().Ready}, nil
}

func (s *Server) ServerMetadata(context.Context, *pb.ServerMetadataRequest) (*pb.ServerMetadataResponse, error) {
	return &pb.ServerMetadataResponse{Name: ml.ServerName, Version: ml.ServerVersion, Extensions: ml.Extensions()}, nil
}

// described is Describe with a version as the protocol has it.
func (s *Server) described(model, version string) (ml.Metadata, bool, error) {
	n, err := ml.ParseVersion(version)
	if err != nil {
		return ml.Metadata{}, false, err
	}
	return s.models.Describe(model, n)
}

func (s *Server) ModelReady(ctx context.Context, in *pb.ModelReadyRequest) (*pb.ModelReadyResponse, error) {
	_, ready, err := s.described(in.GetName(), in.GetVersion())
	return &pb.ModelReadyResponse{Ready: ready}, s.failed(ctx, in.GetName(), err)
}

func (s *Server) ModelMetadata(ctx context.Context, in *pb.ModelMetadataRequest) (*pb.ModelMetadataResponse, error) {
	m, _, err := s.described(in.GetName(), in.GetVersion())
	return &pb.ModelMetadataResponse{Name: m.Name, Versions: m.Versions, Platform: m.Platform, Inputs: specs(m.Inputs),
		Outputs: specs(m.Outputs)}, s.failed(ctx, in.GetName(), err)
}

func specs(of []ml.Spec) []*pb.ModelMetadataResponse_TensorMetadata {
	var out []*pb.ModelMetadataResponse_TensorMetadata
	for _, m := range of {
		out = append(out, &pb.ModelMetadataResponse_TensorMetadata{Name: m.Name, Datatype: m.Type, Shape: m.Shape})
	}
	return out
}

func (s *Server) ModelInfer(ctx context.Context, in *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
	q, err := inference(in)
	if err != nil {
		return nil, s.failed(ctx, in.GetModelName(), err)
	}
	a, err := s.models.Serve(ctx, q)
	if err != nil {
		return nil, s.failed(ctx, in.GetModelName(), err)
	}
	return answered(in, a), nil
}

// answered is an answer to in, or a chunk of one.
func answered(in *pb.ModelInferRequest, a ml.Answer) *pb.ModelInferResponse {
	out := &pb.ModelInferResponse{ModelName: in.GetModelName(), ModelVersion: strconv.Itoa(a.Version), Id: in.GetId(),
		Parameters: map[string]*pb.InferParameter{"variant": {
			ParameterChoice: &pb.InferParameter_StringParam{StringParam: string(a.Variant)}}}}
	for _, t := range a.Outputs {
		shown := &pb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.Type, Shape: t.Shape}
		if in.GetRawInputContents() != nil {
			out.RawOutputContents = append(out.RawOutputContents, t.Data)
		} else {
			shown.Contents = contentsOf(t)
		}
		out.Outputs = append(out.Outputs, shown)
	}
	return out
}

func (s *Server) RepositoryIndex(
	_ context.Context, in *pb.RepositoryIndexRequest,
) (*pb.RepositoryIndexResponse, error) {
	out := &pb.RepositoryIndexResponse{}
	for _, row := range s.models.Index() {
		if row.State == ml.StateReady || !in.GetReady() {
			out.Models = append(out.Models, &pb.RepositoryIndexResponse_ModelIndex{Name: row.Name, Version: row.Version,
				State: row.State, Reason: row.Reason})
		}
	}
	return out, nil
}

func (s *Server) RepositoryModelLoad(
	ctx context.Context, in *pb.RepositoryModelLoadRequest,
) (*pb.RepositoryModelLoadResponse, error) {
	return &pb.RepositoryModelLoadResponse{}, s.setLoaded(ctx, in.GetModelName(), true)
}

func (s *Server) RepositoryModelUnload(
	ctx context.Context, in *pb.RepositoryModelUnloadRequest,
) (*pb.RepositoryModelUnloadResponse, error) {
	return &pb.RepositoryModelUnloadResponse{}, s.setLoaded(ctx, in.GetModelName(), false)
}

// setLoaded loads or unloads a model for who sends the server's key, as the metadata authorization.
func (s *Server) setLoaded(ctx context.Context, model string, load bool) error {
	md, _ := metadata.FromIncomingContext(ctx)
	err := s.models.Allowed(strings.Join(md.Get("authorization"), ""))
	if err == nil {
		err = s.models.SetLoaded(ctx, model, load)
	}
	return s.failed(ctx, model, err)
}
