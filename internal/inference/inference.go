// Package inference serves the Open Inference Protocol V2 over gRPC. By REST package ml serves it itself.
package inference

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

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
	Allowed(authorization string) error
	SetLoaded(ctx context.Context, model string, load bool) error
}

// server is the service of the protocol.
type server struct {
	pb.UnimplementedGRPCInferenceServiceServer
	models Models
	log    *slog.Logger
}

// Handler serves gRPC, which must come by HTTP/2, and leaves all other requests to next. It asks for no password but
// to load and unload models: it is for the operator's listener.
func Handler(models Models, log *slog.Logger, next http.Handler) http.Handler {
	g := grpc.NewServer(grpc.MaxRecvMsgSize(ml.MaxBody), grpc.MaxSendMsgSize(ml.MaxBody))
	pb.RegisterGRPCInferenceServiceServer(g, &server{models: models, log: log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

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
func (s *server) failed(ctx context.Context, model string, err error) error {
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

func (s *server) ServerLive(context.Context, *pb.ServerLiveRequest) (*pb.ServerLiveResponse, error) {
	return &pb.ServerLiveResponse{Live: true}, nil
}

func (s *server) ServerReady(context.Context, *pb.ServerReadyRequest) (*pb.ServerReadyResponse, error) {
	return &pb.ServerReadyResponse{Ready: s.models.Health().Ready}, nil
}

func (s *server) ServerMetadata(context.Context, *pb.ServerMetadataRequest) (*pb.ServerMetadataResponse, error) {
	return &pb.ServerMetadataResponse{Name: ml.ServerName, Version: ml.ServerVersion, Extensions: ml.Extensions()}, nil
}

// described is Describe with a version as the protocol has it.
func (s *server) described(model, version string) (ml.Metadata, bool, error) {
	n, err := ml.ParseVersion(version)
	if err != nil {
		return ml.Metadata{}, false, err
	}
	return s.models.Describe(model, n)
}

func (s *server) ModelReady(ctx context.Context, in *pb.ModelReadyRequest) (*pb.ModelReadyResponse, error) {
	_, ready, err := s.described(in.GetName(), in.GetVersion())
	return &pb.ModelReadyResponse{Ready: ready}, s.failed(ctx, in.GetName(), err)
}

func (s *server) ModelMetadata(ctx context.Context, in *pb.ModelMetadataRequest) (*pb.ModelMetadataResponse, error) {
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

func (s *server) ModelInfer(ctx context.Context, in *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
	q, err := inference(in)
	if err != nil {
		return nil, s.failed(ctx, in.GetModelName(), err)
	}
	a, err := s.models.Serve(ctx, q)
	if err != nil {
		return nil, s.failed(ctx, in.GetModelName(), err)
	}
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
	return out, nil
}

func (s *server) RepositoryIndex(
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

func (s *server) RepositoryModelLoad(
	ctx context.Context, in *pb.RepositoryModelLoadRequest,
) (*pb.RepositoryModelLoadResponse, error) {
	return &pb.RepositoryModelLoadResponse{}, s.setLoaded(ctx, in.GetModelName(), true)
}

func (s *server) RepositoryModelUnload(
	ctx context.Context, in *pb.RepositoryModelUnloadRequest,
) (*pb.RepositoryModelUnloadResponse, error) {
	return &pb.RepositoryModelUnloadResponse{}, s.setLoaded(ctx, in.GetModelName(), false)
}

// setLoaded loads or unloads a model for who sends the server's key, as the metadata authorization.
func (s *server) setLoaded(ctx context.Context, model string, load bool) error {
	md, _ := metadata.FromIncomingContext(ctx)
	err := s.models.Allowed(strings.Join(md.Get("authorization"), ""))
	if err == nil {
		err = s.models.SetLoaded(ctx, model, load)
	}
	return s.failed(ctx, model, err)
}
